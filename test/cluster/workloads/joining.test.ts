/** docs/joining.md, step by step: its commands are run as they stand there, but for those that touch the machine. */
import { readFileSync } from 'node:fs';
import { mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import type { ApiObject } from '#lib/kube/client.ts';
import type { Node } from '#lib/kube/types.ts';
import { exec } from '#test/bed/exec.ts';
import { isReady, useClusterNode } from '#test/control-plane/cluster-node.ts';
import type { ControlPlane } from '#test/control-plane/control-plane.ts';
import { eventually } from '#test/control-plane/eventually.ts';
import { testResources } from '#test/control-plane/resources.ts';
import { describeRealOnly } from '#test/control-plane/start.ts';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const page = readFileSync(join(root, 'docs/joining.md'), 'utf8');

/** The shell blocks of a section, by the beginning of its title. */
function blocks(title: string): string[] {
  const section = page.split(/^## /m).find((each) => each.startsWith(title)) ?? '';
  return [...section.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].map(([, text = '']) => text);
}

/** Of the second step, what the bed can do: it has no systemd, and the kernel's settings are the machine's. */
const ofTheMachine = /^(swapoff|modprobe|systemctl|nodelet check|cp .*systemd)/;
const onTheMachine = (): string =>
  blocks('2.')
    .join('')
    .split('\n')
    .filter((line) => !ofTheMachine.test(line))
    .join('\n')
    .replaceAll('/opt/nodelet/', root);

/** What the unit's EnvironmentFile says of flags. */
const flags = (
  /^NODELET_FLAGS="(.*)"$/m.exec(
    readFileSync(join(root, 'deploy/examples/cluster/nodelet.default'), 'utf8'),
  )?.[1] ?? ''
).split(' ');

describeRealOnly('docs/joining.md', 'the fake has no kubectl', () => {
  let dir: string;
  let env: NodeJS.ProcessEnv;
  const run = (script: string): Promise<string> => exec('bash', ['-euc', `cd ${dir}\n${script}`], { env });

  async function asAdmin(plane: ControlPlane): Promise<void> {
    dir = await mkdtemp(join(tmpdir(), 'join-'));
    await writeFile(join(dir, 'admin.conf'), await plane.adminKubeconfig());
    await symlink(join(root, 'deploy'), join(dir, 'deploy'));
    const path = [process.env['KUBEBUILDER_ASSETS'], process.env['PATH']].join(delimiter);
    env = { ...process.env, HOME: dir, PATH: path, KUBECONFIG: join(dir, 'admin.conf') };
    const [rights = '', ...token] = blocks('1.');
    await run(rights);
    await run(token.join(''));
    await run(onTheMachine());
    // By hand first; the same file brings it back.
    await run('kubectl delete clusterrolebinding auto-approve-csrs-for-group');
  }

  const node = useClusterNode({
    start: false,
    prepare: asAdmin,
    flags: [
      ...flags,
      // What the example says of another machine.
      '--cgroup-driver=cgroupfs',
      '--resolv-conf=/etc/resolv.conf',
      '--fail-swap-on=false',
    ],
  });
  const csrs = async (): Promise<(ApiObject & { spec: { username?: string } })[]> =>
    (
      await node.plane.client.list<ApiObject & { spec: { username?: string } }>(
        testResources.certificateSigningRequests,
      )
    ).items;

  test('the node waits for its approval, and is there once it has it', async () => {
    await node.agent.spawn();
    const [asked] = await eventually(async () => {
      const found = await csrs();
      return found.length > 0 && found;
    });
    expect(asked?.spec.username).toMatch(/^system:bootstrap:[0-9a-f]{6}$/);
    expect(await node.plane.client.find<Node>(testResources.nodes, { name: 'n1' })).toBeUndefined();
    const [, named] = /^(kubectl certificate approve) NAME$/m.exec(blocks('3.').join('')) ?? [];
    await run(`${named} ${asked?.metadata?.name}`);
    await node.waitForNode(isReady, 30_000);
    const [look = ''] = /^kubectl get nodes .*$/m.exec(blocks('3.').join('')) ?? [];
    expect(await run(look)).toMatch(/^n1 +Ready +<none> +\S+ +v1\.36\.\d+ +192\.0\.2\.10 /m);
    expect(await readFile('/etc/kubernetes/kubelet.conf', 'utf8')).toContain('kubelet-client-current.pem');
  });

  test('with the approval of deploy/rbac nobody has to', async () => {
    await node.agent.stop();
    await rm('/etc/kubernetes/kubelet.conf');
    await run(blocks('1.')[0] ?? '');
    const before = (await csrs()).length;
    await node.plane.client.delete(testResources.nodes, { name: 'n1' });
    await rm(pki(), { recursive: true });
    await node.agent.restart();
    await node.waitForNode(isReady, 30_000);
    expect(await csrs()).toHaveLength(before + 1);
  });

  test('the token may go then', async () => {
    const id = (await csrs())[0]?.spec.username?.split(':').at(-1);
    const [, named] = /`(kubectl -n kube-system delete secret bootstrap-token-)ID`/.exec(page) ?? [];
    await run(`${named}${id}`);
    await node.agent.restart();
    await node.waitForNode();
  });

  /** `--cert-dir`, which the bed gives. */
  const pki = (): string => join(node.kubeconfig, '../pki');
});
