/** `nodelet standalone --cleanup` leaves nothing. */
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { groupsIn, nodelet, processesNamed, run } from './machine.ts';
import { check, equal, tell } from './report.ts';

const snapshotFile = '/var/lib/machine-test/mounts-before';

const listed = (folder: string): string[] => (existsSync(folder) ? readdirSync(folder) : []);
const mounts = (): string[] =>
  readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[1] ?? '')
    .filter((path) => path.includes('nodelet') && path !== '/opt/nodelet');

const rules = async (): Promise<string> =>
  (await run('iptables-save'))
    .split('\n')
    .filter((line) => line.startsWith('-A'))
    .join('\n');

/** What is there before anything runs. */
export async function rememberClean(): Promise<void> {
  writeFileSync(snapshotFile, await rules());
}

export async function cleanUp(): Promise<void> {
  await check('standalone --cleanup ends well', async () => {
    await run('systemctl', 'disable', '--quiet', '--now', 'nodelet');
    await run(nodelet, 'standalone', '--cleanup', '--sandbox-image=nodelet.local/pause:1');
  });
  await check('standalone --cleanup leaves no process', () => {
    equal(processesNamed('containerd'), [], 'containerds');
    equal(processesNamed('containerd-shim-runc-v2'), [], 'shims');
    equal(processesNamed('pause'), [], 'sandboxes');
  });
  await check('standalone --cleanup leaves no group', async () => {
    equal(
      groupsIn('').filter((name) => name.includes('kubepods') || name.includes('nodelet')),
      [],
      'groups',
    );
    equal(
      groupsIn('system.slice').filter((name) => name.startsWith('nodelet')),
      [],
      'groups of systemd',
    );
    const units = await run(
      'systemctl',
      'list-units',
      '--all',
      '--plain',
      '--no-legend',
      'nodelet*',
      'kubepods*',
    );
    equal(
      units.split('\n').filter((line) => line !== '' && !line.startsWith('nodelet.service')),
      [],
      'units',
    );
  });
  const results = '/var/lib/cni/results';
  for (const name of listed(results)) tell('NOTE', readFileSync(`${results}/${name}`, 'utf8'));
  await check('standalone --cleanup leaves no mount, folder, link or rule', async () => {
    equal(mounts(), [], 'mounts');
    equal(existsSync('/run/nodelet'), false, '/run/nodelet exists');
    equal(listed('/var/lib/nodelet'), [], '/var/lib/nodelet');
    equal(listed('/run/containerd/s'), [], 'sockets of shims');
    equal(listed(results), [], 'results of CNI');
    equal(listed('/run/netns'), [], 'network namespaces');
    equal(listed('/var/log/pods'), [], '/var/log/pods');
    equal(listed('/var/log/containers'), [], '/var/log/containers');
    equal(readdirSync('/sys/class/net').sort(), ['lo'], 'network links');
    equal(await rules(), readFileSync(snapshotFile, 'utf8'), 'iptables rules');
  });
}
