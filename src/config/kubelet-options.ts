import { hostname } from 'node:os';
import { UsageError } from '#lib/errors.ts';
import { agentOptions, type AgentOptions } from './agent-options.ts';
import { NotBuiltError, parseDaemonFlags } from './daemon-flags.ts';
import { kubeletFlags } from './flags/kubelet-flags.ts';
import type { Flags } from './flags/values.ts';

/** The kubelet role without an API server: upstream's own standalone mode. */
export interface KubeletOptions extends AgentOptions {
  containerRuntimeEndpoint: string;
  /** A directory or one file; undefined: no manifests. */
  podManifestPath: string | undefined;
}

export type KubeletCommand =
  | { kind: 'run'; options: KubeletOptions }
  | { kind: 'help' }
  | { kind: 'version'; raw: boolean };

/**
 * Going on without what these flags ask for would leave the user with a node that does something else than its
 * configuration says: so they end the program.
 */
function refuse(flags: Flags): void {
  for (const name of ['kubeconfig', 'bootstrap-kubeconfig']) {
    if ((flags.string(name) ?? '') !== '') {
      throw new NotBuiltError(
        `flag --${name}: joining a cluster is not built yet; without it, nodelet kubelet runs the static pods ` +
          'of --pod-manifest-path and --manifest-url alone',
      );
    }
  }
  if ((flags.string('config') ?? '') !== '') {
    throw new NotBuiltError(
      'flag --config: KubeletConfiguration files are not read yet; use the flags of the same names ' +
        '(nodelet kubelet --help)',
    );
  }
  if (flags.bool('runonce') === true) {
    throw new UsageError('flag --runonce: true is not allowed; allowed: false');
  }
}

export function parseKubelet(args: readonly string[], host: string = hostname()): KubeletCommand {
  const { flags, warnings } = parseDaemonFlags(kubeletFlags, args);
  if (flags.bool('help') === true) return { kind: 'help' };
  const version = flags.string('version') ?? 'false';
  if (version !== 'false') return { kind: 'version', raw: version === 'raw' };
  refuse(flags);
  const url = flags.string('manifest-url') ?? '';
  const path = flags.string('pod-manifest-path') ?? '';
  const endpoint = flags.string('container-runtime-endpoint') ?? '';
  return {
    kind: 'run',
    options: {
      ...agentOptions(
        flags,
        { rootDir: '/var/lib/kubelet', hostname: host, manifestUrls: url === '' ? [] : [url] },
        warnings,
      ),
      containerRuntimeEndpoint: endpoint === '' ? 'unix:///run/containerd/containerd.sock' : endpoint,
      podManifestPath: path === '' ? undefined : path,
    },
  };
}
