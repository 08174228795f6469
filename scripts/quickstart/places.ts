import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const checkout = fileURLToPath(new URL('../..', import.meta.url));

/** The node's name: it ends every pod's name. */
export const nodeName = 'quickstart';

const root = '/var/lib/nodelet/quickstart';
const state = '/run/nodelet/quickstart';

/** Everything that the quickstart makes lies below these two, so that it disturbs no other nodelet. */
export const places = {
  root,
  state,
  socket: join(state, 'nodelet.sock'),
  log: join(root, 'nodelet.log'),
  runtimeRoot: join(root, 'containerd'),
  runtimeState: join(state, 'containerd'),
  manifests: join(checkout, 'deploy/examples/standalone'),
} as const;

/** The flags that every call of `nodelet standalone` here has in common. */
export function standaloneFlags(sandboxImage: string): string[] {
  return [
    `--hostname-override=${nodeName}`,
    `--manifests=${places.manifests}`,
    `--root-dir=${join(root, 'kubelet')}`,
    `--state-dir=${state}`,
    `--runtime-root=${places.runtimeRoot}`,
    `--applied-dir=${join(root, 'applied')}`,
    `--socket=${places.socket}`,
    `--pod-logs-dir=${join(root, 'logs/pods')}`,
    `--container-logs-dir=${join(root, 'logs/containers')}`,
    `--sandbox-image=${sandboxImage}`,
  ];
}
