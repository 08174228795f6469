/** What pods see of hosts, names, DNS and the node's namespaces. */
import { readFile, stat, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { nodeAddress } from '#test/bed/bed.ts';
import { exec } from '#test/bed/exec.ts';
import { container, hasPhase, isRunning, podManifest, statusOf, untilTerm } from '#test/bed/manifests.ts';
import { useNode } from './node.ts';

const node = useNode({ flags: ['--cluster-dns=192.0.2.53', '--cluster-domain=cluster.test'] });
const never = { restartPolicy: 'Never' };

async function inside(pod: string, of: string, ...command: string[]): Promise<string> {
  const { stdout, stderr, code } = await node.agent.cli('exec', pod, '-c', of, '--', ...command);
  if (code !== 0) throw new Error(`${command.join(' ')}: ${stderr}`);
  return stdout;
}
const output = async (pod: string): Promise<string> => (await node.agent.cli('logs', pod)).stdout;

const head =
  '# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n' +
  'fe00::0\tip6-localnet\nfe00::0\tip6-mcastprefix\nfe00::1\tip6-allnodes\nfe00::2\tip6-allrouters\n';

describe('/etc/hosts', () => {
  test('names the pod and its aliases, survives an agent’s restart, and goes with the pod', async () => {
    const own = container('own', untilTerm, { volumeMounts: [{ name: 'mine', mountPath: '/etc/hosts' }] });
    await writeFile(join(node.agent.dir, 'hosts'), 'my own\n');
    await node.agent.write(
      'hosts.yaml',
      podManifest('hosts', [container('main', untilTerm), own], {
        subdomain: 'sub',
        hostAliases: [{ ip: '192.0.2.99', hostnames: ['elsewhere', 'else.where'] }],
        volumes: [{ name: 'mine', hostPath: { path: join(node.agent.dir, 'hosts') } }],
      }),
    );
    const view = await node.agent.waitForPod('hosts', isRunning);
    const expected =
      `${head}${view.pod.status?.podIP}\thosts-n1.sub.default.svc.cluster.test\thosts-n1\n` +
      '\n# Entries added by HostAliases.\n192.0.2.99\telsewhere\telse.where\n';
    expect(await inside('hosts', 'main', 'cat', '/etc/hosts')).toBe(expected);
    expect(await inside('hosts', 'own', 'cat', '/etc/hosts')).toBe('my own\n');
    expect(await inside('hosts', 'main', 'hostname')).toBe('hosts-n1\n');
    expect(
      await inside('hosts', 'main', 'ping', '-c1', '-W2', 'hosts-n1.sub.default.svc.cluster.test'),
    ).toContain(`(${view.pod.status?.podIP})`);
    const file = join(node.agent.rootDir, 'pods', view.pod.metadata?.uid ?? '', 'etc-hosts');
    expect((await stat(file)).mode & 0o7777).toBe(0o644);

    // A container may add to it for as long as no container of the pod starts.
    await inside('hosts', 'main', 'sh', '-c', 'echo "192.0.2.98 added" >>/etc/hosts');
    await node.agent.restart();
    await node.agent.waitForPod('hosts', isRunning);
    expect(await readFile(file, 'utf8')).toBe(`${expected}192.0.2.98 added\n`);
    const id = statusOf(view, 'own')?.containerID?.replace('containerd://', '') ?? '';
    await node.containerd.ctr('tasks', 'kill', '--signal', 'SIGKILL', id);
    await node.agent.waitForPod(
      'hosts',
      (each) => statusOf(each, 'main')?.restartCount === 0 && isRunning(each),
    );
    const main = statusOf(view, 'main')?.containerID?.replace('containerd://', '') ?? '';
    await node.containerd.ctr('tasks', 'kill', '--signal', 'SIGKILL', main);
    await node.agent.waitForPod(
      'hosts',
      (each) => statusOf(each, 'main')?.restartCount === 1 && isRunning(each),
    );
    expect(await inside('hosts', 'main', 'cat', '/etc/hosts')).toBe(expected);

    await node.agent.remove('hosts.yaml');
    await node.agent.waitForGone('hosts');
    await expect(stat(file)).rejects.toMatchObject({ code: 'ENOENT' });
  });

  test('the node’s own with hostNetwork, and the node’s name', async () => {
    await node.agent.write(
      'net.yaml',
      podManifest('net', [container('main', 'cat /etc/hosts; hostname')], {
        ...never,
        hostNetwork: true,
        hostname: 'ignored',
        hostAliases: [{ ip: '192.0.2.99', hostnames: ['elsewhere'] }],
      }),
    );
    await node.agent.waitForPod('net', hasPhase('Succeeded'));
    expect(await output('net')).toBe(
      `# Kubernetes-managed hosts file (host network).\n${await readFile('/etc/hosts', 'utf8')}` +
        `\n# Entries added by HostAliases.\n192.0.2.99\telsewhere\n${hostname()}\n`,
    );
  });
});

describe.concurrent('host names', () => {
  test.each([
    [
      'fqdn',
      { hostname: 'db', subdomain: 'sub', setHostnameAsFQDN: true },
      'db.sub.default.svc.cluster.test',
    ],
    ['override', { hostnameOverride: 'any.thing' }, 'any.thing'],
    ['cut-'.padEnd(60, 'x'), {}, 'cut-'.padEnd(60, 'x') + '-n1'],
    [`${'cut-'.padEnd(61, 'y')}z`, {}, `${'cut-'.padEnd(61, 'y')}z`],
  ])('%s', async (name, spec, expected) => {
    await node.agent.write(
      `${name}.yaml`,
      podManifest(name, [container('main', 'hostname; tail -n1 /etc/hosts')], { ...never, ...spec }),
    );
    const view = await node.agent.waitForPod(name, hasPhase('Succeeded'));
    const [told, line] = (await output(name)).split('\n');
    expect(told).toBe(expected);
    const short = expected.startsWith('db.') ? `${expected}\tdb` : expected;
    expect(line).toBe(`${view.pod.status?.podIP}\t${short}`);
  });

  test('a full name that is too long keeps the sandbox from being made', async () => {
    const spec = { subdomain: 's'.repeat(50), setHostnameAsFQDN: true };
    await node.agent.write('long.yaml', podManifest('long', [container('main')], spec));
    const fqdn = `long-n1.${'s'.repeat(50)}.default.svc.cluster.test`;
    const event = await node.agent.waitFor(async () =>
      (await node.agent.client.events({ namespace: 'default', name: 'long-n1' })).find(
        ({ reason }) => reason === 'FailedCreatePodSandBox',
      ),
    );
    expect(event.message).toBe(
      'Failed to create pod sandbox: failed to construct FQDN from pod hostname and cluster domain, ' +
        `FQDN ${fqdn} is too long (64 characters is the max, ${fqdn.length} characters requested)`,
    );
  });
});

describe.concurrent('resolv.conf', () => {
  const cluster = {
    servers: ['192.0.2.53'],
    searches: ['default.svc.cluster.test', 'svc.cluster.test', 'cluster.test'],
  };
  test.each([
    ['dns-cluster', {}, cluster],
    ['dns-host', { dnsPolicy: 'Default' }, undefined],
    ['dns-net', { hostNetwork: true }, undefined],
    ['dns-with-net', { hostNetwork: true, dnsPolicy: 'ClusterFirstWithHostNet' }, cluster],
    [
      'dns-none',
      { dnsPolicy: 'None', dnsConfig: { nameservers: ['192.0.2.54'], searches: ['own.test'] } },
      { servers: ['192.0.2.54'], searches: ['own.test'] },
    ],
  ])('%s', async (name, spec, expected) => {
    const own = 'dnsConfig' in spec ? {} : { dnsConfig: { options: [{ name: 'timeout', value: '7' }] } };
    await node.agent.write(
      `${name}.yaml`,
      podManifest(name, [container('main', 'cat /etc/resolv.conf')], { ...never, ...spec, ...own }),
    );
    await node.agent.waitForPod(name, hasPhase('Succeeded'));
    const of = (text: string, keyword: string): string[] =>
      text.split('\n').flatMap((line) => (line.startsWith(`${keyword} `) ? line.split(' ').slice(1) : []));
    const text = await output(name);
    const host = await readFile('/etc/resolv.conf', 'utf8');
    expect(of(text, 'nameserver')).toEqual(expected?.servers ?? of(host, 'nameserver').slice(0, 3));
    const searches = expected ?? { searches: of(host, 'search') };
    expect(of(text, 'search').slice(0, searches.searches.length)).toEqual(searches.searches);
    const options = expected === undefined ? of(host, 'options') : expected === cluster ? ['ndots:5'] : [];
    expect(of(text, 'options')).toEqual([...options, ...(name === 'dns-none' ? [] : ['timeout:7'])]);
  });

  test('too many servers: three are kept, and an event says so', async () => {
    const nameservers = ['192.0.2.61', '192.0.2.62', '192.0.2.63'];
    await node.agent.write(
      'many.yaml',
      podManifest('many', [container('main', 'cat /etc/resolv.conf')], {
        ...never,
        dnsConfig: { nameservers },
      }),
    );
    await node.agent.waitForPod('many', hasPhase('Succeeded'));
    expect(await output('many')).toContain(
      'nameserver 192.0.2.53\nnameserver 192.0.2.61\nnameserver 192.0.2.62\n',
    );
    expect(await output('many')).not.toContain('192.0.2.63');
    const events = await node.agent.client.events({ namespace: 'default', name: 'many-n1' });
    expect(events.find(({ reason }) => reason === 'DNSConfigForming')?.message).toBe(
      'Nameserver limits were exceeded, some nameservers have been omitted, the applied nameserver line is: 192.0.2.53 192.0.2.61 192.0.2.62',
    );
  });
});

describe.concurrent('the node’s namespaces', () => {
  const namespaces = 'for n in net pid ipc uts; do readlink /proc/self/ns/$n; done';
  const mine = async (): Promise<string[]> =>
    Promise.all(
      ['net', 'pid', 'ipc', 'uts'].map(async (each) =>
        (await exec('readlink', [`/proc/self/ns/${each}`])).trim(),
      ),
    );

  test.each([
    ['ns-none', {}, []],
    ['ns-net', { hostNetwork: true }, ['net', 'uts']],
    ['ns-pid', { hostPID: true }, ['pid']],
    ['ns-ipc', { hostIPC: true }, ['ipc']],
  ])('%s', async (name, spec, shared) => {
    await node.agent.write(
      `${name}.yaml`,
      podManifest(name, [container('main', namespaces)], { ...never, ...spec }),
    );
    await node.agent.waitForPod(name, hasPhase('Succeeded'));
    const host = await mine();
    const same = (await output(name))
      .trim()
      .split('\n')
      .filter((each, i) => each === host[i])
      .map((each) => each.split(':')[0]);
    expect(same).toEqual(shared);
  });

  test('shareProcessNamespace: containers see each other’s processes', async () => {
    const spec = { shareProcessNamespace: true };
    const loud = container('loud', `exec sleep 7654321`);
    await node.agent.write('shared.yaml', podManifest('shared', [container('main'), loud], spec));
    await node.agent.waitForPod('shared', isRunning);
    const processes = await inside('shared', 'main', 'ps');
    expect(processes).toContain('sleep 7654321');
    expect(processes).toMatch(/^\s*1 .*pause/m);
  });
});

test('hostPort on one of the node’s addresses alone, and for UDP', async () => {
  const ports = [
    { containerPort: 8080, hostPort: 18081, hostIP: nodeAddress },
    { containerPort: 5353, hostPort: 15353, protocol: 'UDP' },
  ];
  const serve = `mkdir /www; echo up >/www/index.html; httpd -p 8080 -h /www; ${untilTerm}`;
  await node.agent.write('port.yaml', podManifest('port', [container('main', serve, { ports })]));
  await node.agent.waitForPod('port', isRunning);
  const rules = await exec('iptables-save', ['-t', 'nat']);
  expect(rules).toMatch(new RegExp(`-d ${nodeAddress}/32 -p tcp -m tcp --dport 18081 -j DNAT`));
  expect(rules).toMatch(/-p udp -m udp --dport 15353 -j DNAT/);
  const get = (address: string): Promise<string> =>
    fetch(`http://${address}:18081/`, { signal: AbortSignal.timeout(2000) }).then((answer) => answer.text());
  expect(await node.agent.waitFor(() => get(nodeAddress))).toBe('up\n');
  await expect(get('127.0.0.1')).rejects.toThrow(/fetch failed/);
});
