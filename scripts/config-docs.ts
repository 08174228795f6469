/**
 * Writes the tables of flags and fields into docs/cli.md and docs/configuration.md, between `<!-- table: NAME -->` and
 * `<!-- end -->`. Afterwards: npm run format. Unit tests say when a page doesn't agree with the tables.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { fieldRows, flagNames, flagRows } from '#config/docs.ts';
import { features } from '#config/feature-gates/features.ts';
import { kubeletFlags } from '#config/flags/kubelet-flags.ts';
import { kubeProxyFlags } from '#config/flags/kube-proxy-flags.ts';
import { standaloneFlags } from '#config/flags/standalone-flags.ts';
import { kubeletFields } from '#config/kubelet-configuration/fields.ts';
import { kubeProxyFields } from '#config/kube-proxy-configuration/fields.ts';

const flagHead = '| flag | type | default | |\n| --- | --- | --- | --- |\n';
const fieldHead = '| field | type | default | state | |\n| --- | --- | --- | --- | --- |\n';

function gates(): string {
  const groups = new Map<string, string[]>();
  for (const [name, { stage, default: on, locked }] of features) {
    const group = `${stage}, ${on ? 'on' : 'off'}${locked ? ', locked' : ''}`;
    groups.set(group, [...(groups.get(group) ?? []), name]);
  }
  return [...groups].map(([group, names]) => `- **${group}**: ${names.join(', ')}`).join('\n');
}

const tables: Readonly<Record<string, string>> = {
  standalone: flagHead + flagRows(standaloneFlags, 'works').join('\n'),
  'kubelet works': flagHead + flagRows(kubeletFlags, 'works').join('\n'),
  'kubelet ignored': flagHead + flagRows(kubeletFlags, 'ignored').join('\n'),
  'kubelet removed': flagNames(kubeletFlags, 'removed'),
  'kube-proxy works': flagHead + flagRows(kubeProxyFlags, 'works').join('\n'),
  'kube-proxy ignored': flagHead + flagRows(kubeProxyFlags, 'ignored').join('\n'),
  'kube-proxy removed': flagNames(kubeProxyFlags, 'removed'),
  KubeletConfiguration: fieldHead + fieldRows(kubeletFields).join('\n'),
  KubeProxyConfiguration: fieldHead + fieldRows(kubeProxyFields).join('\n'),
  'feature gates': gates(),
};

for (const page of ['cli.md', 'configuration.md']) {
  const file = new URL(`../docs/${page}`, import.meta.url);
  const text = await readFile(file, 'utf8');
  const written = text.replaceAll(
    /(<!-- table: (.+?) -->\n)[^]*?(\n<!-- end -->)/g,
    (_all, begin: string, name: string, end: string) => `${begin}\n${tables[name] ?? ''}\n${end}`,
  );
  await writeFile(file, written);
}
