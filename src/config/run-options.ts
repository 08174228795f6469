import { hostname } from 'node:os';
import { UsageError } from '#lib/errors.ts';
import { parseDaemonFlags } from './daemon-flags.ts';
import { runFlags, sharedNames } from './flags/run-flags.ts';
import { kubeletOptions, type KubeletOptions } from './kubelet-options.ts';
import { kubeProxyOptions, type KubeProxyOptions } from './kube-proxy-options.ts';

/** Both roles in one process. */
export interface RunOptions {
  kubelet: KubeletOptions;
  proxy: KubeProxyOptions;
}

export type RunCommand =
  | { kind: 'run'; options: RunOptions }
  | { kind: 'help' }
  | { kind: 'version'; raw: boolean };

/** Shared flags that say the same of both roles. */
const forBoth = new Set(['kubeconfig', 'feature-gates', 'v', 'logging-format']);

/**
 * Parses `nodelet run`. A flag that both roles have is kubelet's; the proxy takes over the node's name, and the
 * kubeconfig unless its own configuration names one.
 */
export async function parseRun(args: readonly string[], host: string = hostname()): Promise<RunCommand> {
  const { flags, warnings } = parseDaemonFlags(runFlags, args);
  if (flags.bool('help') === true) return { kind: 'help' };
  const version = flags.string('version') ?? 'false';
  if (version !== 'false') return { kind: 'version', raw: version === 'raw' };
  const kubelet = await kubeletOptions(flags, warnings, host);
  const file = flags.string('proxy-config') ?? '';
  const except = sharedNames.filter((name) => !forBoth.has(name) || (file !== '' && name === 'kubeconfig'));
  const proxy = await kubeProxyOptions(flags, file === '' ? undefined : file, [], host, except);
  if (proxy.configuration['hostnameOverride'] !== undefined && proxy.nodeName !== kubelet.nodeName) {
    throw new UsageError(
      `--proxy-config: field hostnameOverride: ${JSON.stringify(proxy.nodeName)} is not allowed; allowed: the ` +
        `node’s name ${JSON.stringify(kubelet.nodeName)}, or nothing`,
    );
  }
  return {
    kind: 'run',
    options: {
      kubelet,
      proxy: {
        ...proxy,
        nodeName: kubelet.nodeName,
        kubeconfig: proxy.kubeconfig ?? kubelet.cluster?.kubeconfig,
      },
    },
  };
}
