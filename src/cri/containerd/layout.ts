import { createHash } from 'node:crypto';
import { join } from 'node:path';

/** Where one private containerd keeps what; everything but shims' sockets and CNI's results lies below the two roots. */
export interface Layout {
  root: string;
  state: string;
  config: string;
  log: string;
  /** containerd's own root and state. */
  data: string;
  run: string;
  socket: string;
  runcRoot: string;
  cniConfig: string;
  /** host-local's reservations: below `state`, because they end with the network namespaces at a reboot. */
  reservations: string;
  bridge: string;
}

/** Linux allows 15 bytes for a link's name. */
const bridgeOf = (root: string, standard: string): string =>
  root === standard ? 'nodelet0' : `nl-${createHash('sha256').update(root).digest('hex').slice(0, 10)}`;

export const standardRoot = '/var/lib/nodelet/containerd';
export const standardState = '/run/nodelet/containerd';

/** The bridge's name follows from the root, so that two instances never share one. */
export function layoutOf(root: string = standardRoot, state: string = standardState): Layout {
  const run = join(state, 'run');
  return {
    root,
    state,
    config: join(root, 'config.toml'),
    log: join(root, 'containerd.log'),
    data: join(root, 'data'),
    run,
    socket: join(state, 'containerd.sock'),
    runcRoot: join(run, 'runc'),
    cniConfig: join(root, 'net.d'),
    reservations: join(state, 'cni'),
    bridge: bridgeOf(root, standardRoot),
  };
}
