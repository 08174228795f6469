import type { FlagSpec } from './flag.ts';
import { kubeletFlags } from './kubelet-flags.ts';
import { kubeProxyFlags } from './kube-proxy-flags.ts';
import { flagTable } from './table.ts';

const own = flagTable('works', [
  [
    'proxy-config',
    'string',
    '',
    'A KubeProxyConfiguration file (docs/configuration.md): what --config is to kube-proxy.',
  ],
]);

const ofKubelet = new Map(kubeletFlags.map((spec) => [spec.name, spec]));

/** Flags of kube-proxy that kubelet has no living flag of the same name for. */
const proxyOnly = kubeProxyFlags.filter(({ name, state }) => {
  const other = ofKubelet.get(name);
  return other === undefined || (other.state === 'removed' && state !== 'removed');
});

const names = new Set(proxyOnly.map(({ name }) => name));

/** Every flag of both roles; one that both have is kubelet's. */
export const runFlags: readonly FlagSpec[] = [
  ...kubeletFlags.filter(({ name }) => !names.has(name)),
  ...proxyOnly,
  ...own,
];

/** Flags that both roles have: in `nodelet run` they mean what they mean to kubelet. */
export const sharedNames: readonly string[] = kubeProxyFlags
  .filter(({ name, state }) => {
    const other = ofKubelet.get(name);
    return state !== 'removed' && other !== undefined && other.state !== 'removed';
  })
  .map(({ name }) => name);
