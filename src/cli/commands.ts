import type { Command } from './context.ts';

/** Commands by name, in the order of the help text. Each loads its own code only: starting must stay fast. */
export const commands: Readonly<Record<string, { summary: string; load(): Promise<Command> }>> = {
  standalone: {
    summary: 'Runs the pods of a directory of manifests, without a cluster',
    load: async () => (await import('./commands/standalone.ts')).standaloneCommand,
  },
  kubelet: {
    summary: 'The kubelet role, with kubelet’s flags',
    load: async () => (await import('./commands/kubelet.ts')).kubeletCommand,
  },
  'kube-proxy': {
    summary: 'The proxy role, with kube-proxy’s flags (not built yet)',
    load: async () => (await import('./commands/kube-proxy.ts')).kubeProxyCommand,
  },
  run: {
    summary: 'Both roles in one process (the proxy role is not built yet)',
    load: async () => (await import('./commands/run.ts')).runCommand,
  },
  get: {
    summary: 'Lists pods, the node, events, or manifests that are not in force',
    load: async () => (await import('./commands/get.ts')).getCommand,
  },
  describe: {
    summary: 'Prints all about a pod, with its events',
    load: async () => (await import('./commands/describe.ts')).describeCommand,
  },
  logs: {
    summary: 'Prints a container’s log',
    load: async () => (await import('./commands/logs.ts')).logsCommand,
  },
  exec: {
    summary: 'Runs a command in a container',
    load: async () => (await import('./commands/exec.ts')).execCommand,
  },
  apply: {
    summary: 'Takes manifests and keeps them (standalone mode)',
    load: async () => (await import('./commands/apply.ts')).applyCommand,
  },
  delete: {
    summary: 'Deletes pods that were applied (standalone mode)',
    load: async () => (await import('./commands/delete.ts')).deleteCommand,
  },
  top: {
    summary: 'Shows what pods, or all pods of the node, use',
    load: async () => (await import('./commands/top.ts')).topCommand,
  },
  explain: {
    summary: 'Tells why a pod is not (yet) as it should be',
    load: async () => (await import('./commands/explain.ts')).explainCommand,
  },
  check: {
    summary: 'Looks whether this machine is fit for nodelet',
    load: async () => (await import('./commands/check.ts')).checkCommand,
  },
  version: {
    summary: 'Prints the versions',
    load: async () => (await import('./commands/version.ts')).versionCommand,
  },
};
