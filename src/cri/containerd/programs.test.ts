import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { MissingProgramsError, findPrograms } from './programs.ts';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'programs-'));
});
afterEach(() => rm(dir, { recursive: true }));

async function install(folder: string, ...names: string[]): Promise<string> {
  const path = join(dir, folder);
  await mkdir(path, { recursive: true });
  for (const name of names) {
    await writeFile(join(path, name), '');
    await chmod(join(path, name), 0o755);
  }
  return path;
}
const cni = ['bridge', 'host-local', 'loopback', 'portmap', 'firewall'];

test('an own containerd comes with its own shim, before the system’s', async () => {
  const own = await install('own', 'containerd', 'containerd-shim-runc-v2');
  const bin = await install('bin', 'containerd', 'containerd-shim-runc-v2', 'runc', 'iptables', 'ip');
  const partial = await install('partial', 'bridge');
  const full = await install('full', ...cni);
  const found = await findPrograms({
    containerd: join(own, 'containerd'),
    searchPath: bin,
    cniPlugins: [partial, full],
  });
  expect(found).toMatchObject({
    containerd: join(own, 'containerd'),
    runc: join(bin, 'runc'),
    iptables: join(bin, 'iptables'),
    cniPlugins: full,
  });
  expect(found.path.split(':').slice(0, 2)).toEqual([own, bin]);
});

test('all that is missing is named at once, with the packages', async () => {
  const empty = await install('empty');
  const attempt = findPrograms({
    containerd: join(empty, 'containerd'),
    searchPath: empty,
    cniPlugins: [empty],
  });
  const error = await attempt.catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(MissingProgramsError);
  expect(error).toMatchObject({ code: 'MISSING_PROGRAMS' });
  const { message, packages } = error as MissingProgramsError;
  expect(message).toMatch(/containerd, .*CNI plugin bridge/);
  expect(packages).toEqual(expect.arrayContaining(['containerd', 'containernetworking-plugins']));
});
