import { join } from 'node:path';
import { listDir, readText, removeFile, removeOwnTree, statOf } from '#host/files.ts';
import { isWithin, mountsBelow, readMounts, unmount } from '#host/mounts.ts';
import { programFolders } from '#host/find-program.ts';
import { run } from '#host/process.ts';
import { endProcess, findProcesses } from '#host/processes.ts';
import { socketAnswers } from '#host/socket.ts';
import { sleep } from '#lib/clock.ts';
import type { Clock } from '#lib/clock.ts';
import { InternalError } from '#lib/errors.ts';
import type { Logger } from '#lib/logger.ts';
import { removeResults } from './cni-results.ts';
import { renderRemoval } from './firewall.ts';
import type { Layout } from './layout.ts';
import { conflistPath, rangeOfConflist } from './network.ts';

export interface RemainsOptions {
  layout: Layout;
  runc: string | undefined;
  clock: Clock;
  log: Logger;
  signal: AbortSignal;
}

const isShim =
  (socket: string) =>
  (args: readonly string[]): boolean =>
    (args[0] ?? '').includes('containerd-shim') && args[args.indexOf('-address') + 1] === socket;

/** Ends containers with runc, which takes their cgroups along, then the shims that watched them. */
async function endTasks({ layout, runc, clock, log, signal }: RemainsOptions): Promise<void> {
  const root = join(layout.runcRoot, 'k8s.io');
  for (const entry of (await listDir(root)) ?? []) {
    if (!entry.isDirectory() || runc === undefined) continue;
    await run(runc, ['--root', root, 'delete', '--force', entry.name], { signal }).catch((error: unknown) =>
      log.warn({ err: error, container: entry.name }, 'runc could not remove a container'),
    );
  }
  for (const shim of await findProcesses(isShim(layout.socket))) await endProcess(shim, 0, clock, signal);
}

/** The folder of the shims' sockets of all containerds on the machine; it can't be configured. */
const shimSocketFolder = '/run/containerd/s';
/** Between a socket's making and its owner's listening lies far less. */
const unheardMs = 300;

/**
 * The sockets of shims that have ended, since this instance was first started. containerd forgets one when it is
 * told to give a sandbox up while the shim starts, so they can't be found by what containerd knows of its shims.
 */
async function deadSockets({ layout, clock, signal }: RemainsOptions): Promise<string[]> {
  const since = (await statOf(layout.state))?.birthtimeMs ?? 0;
  const silent: string[] = [];
  for (const entry of (await listDir(shimSocketFolder)) ?? []) {
    const path = join(shimSocketFolder, entry.name);
    const made = (await statOf(path))?.mtimeMs ?? 0;
    if (made >= since && !(await socketAnswers(path, 1000))) silent.push(path);
  }
  if (silent.length > 0) await sleep(clock, unheardMs, signal);
  const answers = await Promise.all(silent.map((path) => socketAnswers(path, 1000)));
  return silent.filter((_, index) => answers[index] === false);
}

async function unmountAll({ layout, signal }: RemainsOptions): Promise<void> {
  for (const folder of [layout.state, layout.root]) {
    for (const mount of mountsBelow(await readMounts(), folder)) {
      await unmount(mount.mountPoint, { detach: true, signal });
    }
  }
}

async function removeNetwork({ layout, log, signal }: RemainsOptions): Promise<void> {
  const env = { ...process.env, PATH: programFolders(process.env['PATH']).join(':') };
  const range = rangeOfConflist(
    (await readText(conflistPath(layout.cniConfig, { name: layout.bridge }))) ?? '',
  );
  // Whoever can't list rules has none; the same holds for a link that can't be shown.
  const save = await run('iptables-save', [], { signal, env }).catch(() => undefined);
  const removal = renderRemoval(save?.stdout ?? '', layout.bridge, range ?? '');
  if (removal !== '') {
    await run('iptables-restore', ['--noflush', '--wait', '10'], { input: removal, signal, env }).catch(
      (error: unknown) => log.warn({ err: error }, 'rules of the pods’ network could not be removed'),
    );
  }
  const bridge = await run('ip', ['link', 'show', 'dev', layout.bridge], { signal, env }).catch(
    () => undefined,
  );
  if (bridge !== undefined) await run('ip', ['link', 'delete', 'dev', layout.bridge], { signal, env });
  await removeResults(layout.bridge, layout.state);
}

/**
 * Removes everything that a private containerd, which has ended, left on the machine: containers that still run,
 * shims, network, mounts and folders.
 */
export async function removeRemains(options: RemainsOptions): Promise<void> {
  const { layout } = options;
  await endTasks(options);
  for (const socket of await deadSockets(options)) await removeFile(socket);
  await unmountAll(options);
  await removeNetwork(options);
  const held = (await readMounts()).find(
    ({ mountPoint }) => isWithin(mountPoint, layout.state) || isWithin(mountPoint, layout.root),
  );
  // Never remove a tree that something is still mounted in: it might be somebody's data.
  if (held !== undefined) throw new InternalError(`${held.mountPoint} is still mounted`);
  await removeOwnTree(layout.state);
  await removeOwnTree(layout.root);
}
