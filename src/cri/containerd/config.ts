import { join } from 'node:path';

/** What the generated configuration of a private containerd depends on. Every path is absolute. */
export interface ContainerdSettings {
  /** Images, snapshots and records: survives a reboot. */
  root: string;
  /** Sockets, mounts and running state: gone after a reboot. */
  state: string;
  /** The gRPC socket, for CRI. */
  socket: string;
  sandboxImage: string;
  /** runc. */
  runc: string;
  cniPlugins: string;
  cniConfig: string;
  snapshotter: 'overlayfs' | 'native';
  /** Without CAP_SYS_RESOURCE nobody may lower an OOM score; containers then keep containerd's at least. */
  restrictOomScore: boolean;
  /** Where registry hosts are configured (`hosts.toml`). */
  registryConfig?: string;
  logLevel?: 'debug' | 'info' | 'warn';
}

/** JSON's strings are TOML's basic strings for all that a path or image name may hold. */
const quote = (text: string): string => JSON.stringify(text).replaceAll('\u007f', '\\u007f');

/**
 * The file for `containerd --config`. Its version is 2: 1.6 and 1.7 know no newer one, and 2.x migrates it by
 * itself.
 */
export function renderContainerdConfig(settings: ContainerdSettings): string {
  const cri = 'plugins."io.containerd.grpc.v1.cri"';
  const registry = settings.registryConfig ?? join(settings.root, 'certs.d');
  // containerd goes last when memory runs out, but only who has the capability may say so.
  const oomScore = settings.restrictOomScore ? '' : 'oom_score = -999\n';
  return `# Written by nodelet at every start of its private containerd; changes are lost.
version = 2
root = ${quote(settings.root)}
state = ${quote(settings.state)}
${oomScore}# Nothing here uses them, and some would make folders outside root and state.
disabled_plugins = [
  "io.containerd.internal.v1.opt",
  "io.containerd.internal.v1.tracing",
  "io.containerd.tracing.processor.v1.otlp",
  "io.containerd.snapshotter.v1.aufs",
  "io.containerd.snapshotter.v1.blockfile",
  "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper",
  "io.containerd.snapshotter.v1.erofs",
  "io.containerd.snapshotter.v1.zfs",
]

[grpc]
  address = ${quote(settings.socket)}
  max_recv_message_size = 16777216
  max_send_message_size = 16777216

[ttrpc]
  address = ${quote(`${settings.socket}.ttrpc`)}

[debug]
  level = ${quote(settings.logLevel ?? 'info')}

# Its socket has one place a machine: a second containerd must not take it.
[plugins."io.containerd.nri.v1.nri"]
  disable = true

[${cri}]
  sandbox_image = ${quote(settings.sandboxImage)}
  restrict_oom_score_adj = ${settings.restrictOomScore}
  netns_mounts_under_state_dir = true
  stream_server_address = "127.0.0.1"
  stream_server_port = "0"

[${cri}.containerd]
  snapshotter = ${quote(settings.snapshotter)}
  default_runtime_name = "runc"

[${cri}.containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"

[${cri}.containerd.runtimes.runc.options]
  BinaryName = ${quote(settings.runc)}
  Root = ${quote(join(settings.state, 'runc'))}
  SystemdCgroup = false

[${cri}.cni]
  bin_dir = ${quote(settings.cniPlugins)}
  conf_dir = ${quote(settings.cniConfig)}

[${cri}.registry]
  config_path = ${quote(registry)}
`;
}
