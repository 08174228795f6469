import { hostname } from 'node:os';
import { agentOptions, type AgentOptions } from './agent-options.ts';
import { parseDaemonFlags } from './daemon-flags.ts';
import { standaloneFlags } from './flags/standalone-flags.ts';
import { kubeletConfigurationOfFlags } from './kubelet-configuration/load.ts';

/** No cluster: a directory of manifests is the desired state. */
export interface StandaloneOptions extends AgentOptions {
  manifestsDir: string;
  /** undefined: nodelet starts and supervises a private containerd. */
  containerRuntimeEndpoint: string | undefined;
  stateDir: string;
  runtimeRoot: string;
  appliedDir: string;
  sandboxImage: string;
  /** Range of the private bridge network; undefined: one that is free. */
  podCidr: string | undefined;
  /** End all pods and the private containerd, remove everything, exit. */
  cleanup: boolean;
}

export type StandaloneCommand = { kind: 'run'; options: StandaloneOptions } | { kind: 'help' };

export function parseStandalone(args: readonly string[], host: string = hostname()): StandaloneCommand {
  const { flags, warnings } = parseDaemonFlags(standaloneFlags, args);
  if (flags.bool('help') === true) return { kind: 'help' };
  const urls = flags.list('manifest-url').filter((url) => url !== '');
  const endpoint = flags.string('container-runtime-endpoint') ?? '';
  const stateDir = flags.string('state-dir') ?? '/run/nodelet';
  const podCidr = flags.string('pod-cidr') ?? '';
  // Names that mean something else here than in kubelet.
  const { settings } = kubeletConfigurationOfFlags(flags, [
    'manifest-url',
    'container-runtime-endpoint',
    'pod-cidr',
  ]);
  const common = agentOptions(
    flags,
    settings,
    { rootDir: '/var/lib/nodelet/kubelet', hostname: host, manifestUrls: urls },
    warnings,
  );
  return {
    kind: 'run',
    options: {
      ...common,
      socket: flags.string('socket') ?? `${stateDir}/nodelet.sock`,
      manifestsDir: flags.string('manifests') ?? '/etc/nodelet/manifests',
      containerRuntimeEndpoint: endpoint === '' ? undefined : endpoint,
      stateDir,
      runtimeRoot: flags.string('runtime-root') ?? '/var/lib/nodelet/containerd',
      appliedDir: flags.string('applied-dir') ?? '/var/lib/nodelet/applied',
      sandboxImage: flags.string('sandbox-image') ?? 'registry.k8s.io/pause:3.10.1',
      podCidr: podCidr === '' ? undefined : podCidr,
      cleanup: flags.bool('cleanup') ?? false,
    },
  };
}
