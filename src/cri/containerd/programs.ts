import { dirname } from 'node:path';
import { findProgram, programFolders } from '#host/find-program.ts';
import { NodeletError } from '#lib/errors.ts';

/** Programs that a private containerd needs; absolute paths. */
export interface Programs {
  containerd: string;
  runc: string;
  iptables: string;
  ip: string;
  /** The folder with the CNI plugins. */
  cniPlugins: string;
  /** What containerd and the plugins get as PATH: containerd's own folder first, so that its shim fits it. */
  path: string;
}

/** Where distributions put the CNI plugins: Debian, upstream's release archives, Fedora. */
const pluginFolders = ['/usr/lib/cni', '/opt/cni/bin', '/usr/libexec/cni'];
const plugins = ['bridge', 'host-local', 'loopback', 'portmap', 'firewall'];

export class MissingProgramsError extends NodeletError {
  readonly code = 'MISSING_PROGRAMS';
  /** Debian's packages that have them. */
  readonly packages: readonly string[];

  constructor(missing: readonly { program: string; debian: string }[]) {
    const packages = [...new Set(missing.map((each) => each.debian))];
    const names = missing.map((each) => each.program).join(', ');
    super(`a private containerd needs ${names}: install ${packages.join(' ')} (names of Debian's packages)`);
    this.packages = packages;
  }
}

export interface ProgramsWish {
  /** An own containerd, with its shim in the same folder. */
  containerd?: string;
  /** PATH unless given. */
  searchPath?: string;
  cniPlugins?: readonly string[];
}

async function findPlugins(folders: readonly string[]): Promise<{ folder: string; missing: string[] }> {
  let best = { folder: '', missing: plugins };
  for (const folder of folders) {
    const missing: string[] = [];
    for (const plugin of plugins) {
      if ((await findProgram(plugin, [folder])) === undefined) missing.push(plugin);
    }
    if (missing.length < best.missing.length) best = { folder, missing };
  }
  return best;
}

/** Finds them all, or throws MissingProgramsError with all that is missing. */
export async function findPrograms(wish: ProgramsWish = {}): Promise<Programs> {
  const folders = programFolders(wish.searchPath ?? process.env['PATH']);
  const missing: { program: string; debian: string }[] = [];
  const find = async (program: string, debian: string, where = folders): Promise<string> => {
    const path = await findProgram(program, where);
    if (path === undefined) missing.push({ program, debian });
    return path ?? '';
  };
  const containerd =
    wish.containerd === undefined
      ? await find('containerd', 'containerd')
      : await find(wish.containerd.slice(wish.containerd.lastIndexOf('/') + 1), 'containerd', [
          dirname(wish.containerd),
        ]);
  const path = [...new Set([dirname(containerd || '/usr/bin/containerd'), ...folders])];
  await find('containerd-shim-runc-v2', 'containerd', path);
  const found = {
    containerd,
    runc: await find('runc', 'runc'),
    iptables: await find('iptables', 'iptables'),
    ip: await find('ip', 'iproute2'),
  };
  const cni = await findPlugins(wish.cniPlugins ?? pluginFolders);
  for (const plugin of cni.missing) {
    missing.push({ program: `CNI plugin ${plugin}`, debian: 'containernetworking-plugins' });
  }
  if (missing.length > 0) throw new MissingProgramsError(missing);
  return { ...found, cniPlugins: cni.folder, path: path.join(':') };
}
