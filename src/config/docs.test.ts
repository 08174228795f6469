import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { fieldRows, flagNames, flagRows } from './docs.ts';
import { features } from './feature-gates/features.ts';
import { kubeletFlags } from './flags/kubelet-flags.ts';
import { kubeProxyFlags } from './flags/kube-proxy-flags.ts';
import { standaloneFlags } from './flags/standalone-flags.ts';
import { kubeletFields } from './kubelet-configuration/fields.ts';
import { kubeProxyFields } from './kube-proxy-configuration/fields.ts';

/** The page with runs of blanks made one, as the formatter aligns tables. */
async function page(name: string): Promise<string> {
  const text = await readFile(new URL(`../../docs/${name}`, import.meta.url), 'utf8');
  return text.replaceAll(/[^\S\n]+/g, ' ').replaceAll('\\*', '*');
}

const missing = (text: string, lines: readonly string[]): string[] =>
  lines.filter((line) => !text.includes(line.replaceAll(/[^\S\n]+/g, ' ')));

// When one of these fails: node scripts/config-docs.ts && npm run format
test('docs/cli.md has every flag, with default and help', async () => {
  const text = await page('cli.md');
  const tables = [standaloneFlags, kubeletFlags, kubeProxyFlags];
  const lines = tables.flatMap((flags) => [...flagRows(flags, 'works'), ...flagRows(flags, 'ignored')]);
  expect(missing(text, lines)).toEqual([]);
  expect(
    missing(
      text,
      tables.flatMap((flags) => flagNames(flags, 'removed').split(', ')),
    ),
  ).toEqual([]);
});

test('docs/configuration.md has every field, with default, state and help, and every gate', async () => {
  const text = await page('configuration.md');
  expect(missing(text, [...fieldRows(kubeletFields), ...fieldRows(kubeProxyFields)])).toEqual([]);
  expect(missing(text, [...features.keys()])).toEqual([]);
});

test('the pages name nothing that isn’t there', async () => {
  const known = new Set([...fieldRows(kubeletFields), ...fieldRows(kubeProxyFields)]);
  const rows = (await page('configuration.md')).split('\n').filter((line) => line.startsWith('| `'));
  const kept = new Set([...known].map((line) => line.replaceAll(/[^\S\n]+/g, ' ')));
  expect(rows.filter((row) => !kept.has(row))).toEqual([]);
});
