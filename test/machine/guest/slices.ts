/** The kubelet role with the systemd cgroup driver, on the distribution's containerd. */
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { compareLimits, sliceOf } from './expected.ts';
import {
  containersOf,
  groupFile,
  groups,
  groupsIn,
  home,
  identity,
  nodelet,
  podNamed,
  pods,
  processesBelow,
  run,
  warningsOf,
} from './machine.ts';
import { check, equal, tell, until } from './report.ts';

const manifests = '/etc/kubernetes/manifests';
const socket = '/run/containerd/containerd.sock';

const config = `version = 2
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "nodelet.local/pause:1"
[plugins."io.containerd.grpc.v1.cri".cni]
  bin_dir = "/usr/lib/cni"
  conf_dir = "/etc/cni/net.d"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
  SystemdCgroup = true
`;

const network = {
  cniVersion: '0.4.0',
  name: 'machine',
  plugins: [
    {
      type: 'bridge',
      bridge: 'cni0',
      isGateway: true,
      ipam: { type: 'host-local', ranges: [[{ subnet: '10.99.0.0/24' }]] },
    },
  ],
};

const unit = `[Service]
ExecStart=${nodelet} kubelet --cgroup-driver=systemd --container-runtime-endpoint=unix://${socket} --pod-manifest-path=${manifests}
KillMode=process
Restart=always
`;

const names = ['guaranteed', 'limits', 'web'];

async function ready(): Promise<string | undefined> {
  const all = await pods();
  const bad = names.filter((name) => {
    const conditions = all.get(name)?.status?.conditions ?? [];
    return !conditions.some((each) => each.type === 'Ready' && each.status === 'True');
  });
  return bad.length === 0 ? undefined : `not ready: ${bad.join(', ')}`;
}

const slices = async (): Promise<string[]> =>
  (await run('systemctl', 'list-units', '--all', '--plain', '--no-legend', 'kubepods*', 'cri-containerd*'))
    .split('\n')
    .filter(Boolean)
    .map((line) => line.split(/\s+/)[0] ?? '');

async function startIt(): Promise<void> {
  mkdirSync('/etc/containerd', { recursive: true });
  mkdirSync('/etc/cni/net.d', { recursive: true });
  mkdirSync(manifests, { recursive: true });
  writeFileSync('/etc/containerd/config.toml', config);
  writeFileSync('/etc/cni/net.d/10-machine.conflist', JSON.stringify(network));
  writeFileSync('/etc/systemd/system/kubelet.service', unit);
  await run('systemctl', 'daemon-reload');
  await run('systemctl', 'start', 'containerd');
  for (const file of readdirSync(join(home, 'images'))) {
    await run('ctr', '-a', socket, '-n', 'k8s.io', 'images', 'import', join(home, 'images', file));
  }
  copyFileSync(join(home, 'deploy/examples/standalone/guaranteed.yaml'), join(manifests, 'guaranteed.yaml'));
  copyFileSync(join(home, 'deploy/examples/standalone/web.yaml'), join(manifests, 'web.yaml'));
  copyFileSync(join(home, 'test/machine/manifests/limits.yaml'), join(manifests, 'limits.yaml'));
  await run('systemctl', 'start', 'kubelet');
}

export async function systemdDriver(): Promise<void> {
  const up = await check('systemd driver: the pods come up', async () => {
    await startIt();
    await until(180, ready);
  });
  tell('NOTE', (await slices()).join(' '));
  if (!up)
    tell(
      'NOTE',
      (await run('journalctl', '--no-pager', '-o', 'cat', '-u', 'kubelet', '-u', 'containerd')).slice(-4000),
    );
  for (const name of names) {
    await check(`systemd driver: the slice of ${name} has its limits`, async () => {
      const pod = await podNamed(name);
      const slice = sliceOf(pod);
      compareLimits(name, pod, slice);
      const unitName = slice.split('/').at(-1) ?? '';
      const state = await run('systemctl', 'show', '-p', 'ActiveState,MemoryMax,CPUWeight', '--', unitName);
      if (!state.includes('ActiveState=active')) throw new Error(state);
      for (const each of containersOf(pod).filter((one) => one.state?.['running'] !== undefined)) {
        const id = (each.containerID ?? '').replace('containerd://', '');
        if (!(await slices()).includes(`cri-containerd-${id}.scope`)) throw new Error(`no scope of ${id}`);
      }
    });
  }
  await check('systemd driver: nothing is made outside of the slices', () => {
    equal(
      groupsIn('').filter((name) => name.startsWith('kubepods') || name.includes(':')),
      ['kubepods.slice'],
      'groups',
    );
    equal(groupFile('kubepods.slice/kubepods-burstable.slice', 'cpu.weight'), '59', 'burstable cpu.weight');
    equal(groupFile('kubepods.slice/kubepods-besteffort.slice', 'cpu.weight'), '1', 'besteffort cpu.weight');
  });
  await check(
    'systemd driver: the limits hold through daemon-reload and a restart of the agent',
    async () => {
      const before = identity(await podNamed('limits'));
      await run('systemctl', 'daemon-reload');
      await run('systemctl', 'restart', 'kubelet');
      await until(120, ready);
      const pod = await podNamed('limits');
      equal(identity(pod), before, 'the containers');
      compareLimits('limits', pod, sliceOf(pod));
    },
  );
  await check('systemd driver: a removed pod’s slice goes with it', async () => {
    const gone = [await podNamed('limits'), await podNamed('guaranteed'), await podNamed('web')].map(sliceOf);
    for (const name of names) rmSync(join(manifests, `${name}.yaml`));
    await until(90, () => {
      const left = gone.filter((slice) => existsSync(join(groups, slice)));
      return left.length === 0
        ? undefined
        : `still there: ${left.join(', ')} (${processesBelow('kubepods.slice').join(' ')})`;
    });
    await until(30, async () => {
      const left = (await slices()).filter(
        (name) =>
          (name.includes('pod') && !/^kubepods(-burstable|-besteffort)?\.slice$/.test(name)) ||
          name.startsWith('cri-'),
      );
      return left.length === 0 ? undefined : `units: ${left.join(', ')}`;
    });
  });
  await run('systemctl', 'stop', 'kubelet');
  tell('NOTE', `kubelet's warnings:\n${(await warningsOf('kubelet')).slice(-3000)}`);
  tell('NOTE', readFileSync('/proc/self/cgroup', 'utf8').trimEnd());
}
