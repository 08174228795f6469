import { createServer } from 'node:net';
import { describe, expect, test } from 'vitest';
import { nodeAddress } from '#test/bed/bed.ts';
import { container, hasPhase, isRunning, podManifest, statusOf, untilTerm } from '#test/bed/manifests.ts';
import { useNode } from './node.ts';

const node = useNode();
const never = { restartPolicy: 'Never' };

async function output(name: string, of?: string): Promise<string> {
  const { code, stdout, stderr } = await node.agent.cli(
    'logs',
    name,
    ...(of === undefined ? [] : ['-c', of]),
  );
  expect(stderr).toBe('');
  expect(code).toBe(0);
  return stdout;
}

describe.concurrent('what a container is given', () => {
  test('command, arguments, environment with $(VAR), and working directory', async () => {
    const printer = container('main', '', {
      command: [
        'sh',
        '-c',
        'pwd; printf "%s\\n" "$0" "$@" "$GREETING" "$LITERAL" "$LATE" "$(id -u):$(id -g)"',
      ],
      args: ['$(NAME)', '$$(NAME)', '$(NO_SUCH)', 'two words'],
      env: [
        { name: 'NAME', value: 'node' },
        { name: 'GREETING', value: 'hello $(NAME)' },
        { name: 'LITERAL', value: '$$(NAME)' },
        { name: 'LATE', value: '$(LATER)' },
        { name: 'LATER', value: 'x' },
      ],
      workingDir: '/home/app',
    });
    await node.agent.write('print.yaml', podManifest('print', [printer], never));
    await node.agent.waitForPod('print', hasPhase('Succeeded'));
    expect((await output('print')).trimEnd().split('\n')).toEqual([
      '/home/app',
      'node',
      '$(NAME)',
      '$(NO_SUCH)',
      'two words',
      'hello node',
      '$(NAME)',
      '$(LATER)',
      '0:0',
    ]);
  });

  test('user, group and supplemental groups', async () => {
    const script = 'id -u; id -g; id -G | tr " " "\\n" | sort -n | tr "\\n" " "';
    await node.agent.write(
      'user.yaml',
      podManifest('user', [container('main', script)], {
        ...never,
        securityContext: { runAsUser: 1000, runAsGroup: 3000, supplementalGroups: [4000], fsGroup: 5000 },
      }),
    );
    await node.agent.waitForPod('user', hasPhase('Succeeded'));
    // 100 and 2000 are the image's own groups of this user, which upstream merges in.
    expect((await output('user')).split('\n')).toEqual(['1000', '3000', '100 2000 3000 4000 5000 ']);
  });

  test('the host name and the fields of the downward API', async () => {
    const env = [
      { name: 'POD', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
      { name: 'NODE', valueFrom: { fieldRef: { fieldPath: 'spec.nodeName' } } },
      { name: 'IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } },
    ];
    const script = 'hostname; echo $POD $NODE; ip -o address | grep -qF " $IP/" && echo own address';
    await node.agent.write('names.yaml', podManifest('names', [container('main', script, { env })], never));
    await node.agent.waitForPod('names', hasPhase('Succeeded'));
    expect((await output('names')).split('\n')).toEqual(['names-n1', 'names-n1 n1', 'own address', '']);
  });

  test('a terminal, and standard input that stays open', async () => {
    const script = 'tty; read line; echo "read: $line"';
    await node.agent.write(
      'tty.yaml',
      podManifest('tty', [
        container('tty', `${script}; ${untilTerm}`, { stdin: true, tty: true }),
        container('open', `${script} status $?; ${untilTerm}`, { stdin: true }),
        container('closed', `${script} status $?; ${untilTerm}`),
      ]),
    );
    const view = await node.agent.waitForPod('tty', isRunning);
    const { stdout } = await node.agent.cli('logs', 'tty', '-c', 'tty');
    expect(stdout).toMatch(/^\/dev\/(pts\/\d+|console)\r?\n$/);
    await node.agent.waitFor(async () => (await output('tty', 'closed')).includes('read:  status'));
    // Nobody writes to it, and it has no end: the shell waits for a line.
    expect(await output('tty', 'open')).toBe('not a tty\n');
    expect(statusOf(view, 'open')?.state?.running).toBeDefined();
  });

  test('ports: the pod’s address and hostPort on the node’s', async () => {
    const server = container(
      'web',
      `mkdir /www; echo up >/www/index.html; httpd -p 8080 -h /www; ${untilTerm}`,
      {
        ports: [{ containerPort: 8080, hostPort: 18080, protocol: 'TCP' }],
      },
    );
    await node.agent.write('web.yaml', podManifest('web', [server]));
    const view = await node.agent.waitForPod('web', isRunning);
    const get = (address: string): Promise<string | false> =>
      fetch(`http://${address}/`, { signal: AbortSignal.timeout(2000) }).then((answer) => answer.text());
    expect(await node.agent.waitFor(() => get(`${view.pod.status?.podIP}:8080`))).toBe('up\n');
    expect(await node.agent.waitFor(() => get(`${nodeAddress}:18080`))).toBe('up\n');
    // What a node is named by must not be taken along when the pod goes.
    await node.agent.remove('web.yaml');
    await node.agent.waitForGone('web');
    await expect(get(`${nodeAddress}:18080`)).rejects.toThrow(/fetch failed/);
  });

  test('the node’s network with hostNetwork', async () => {
    const listener = createServer((socket) => socket.end('from the node\n')).listen(18081, '127.0.0.1');
    try {
      const script = `hostname; nc 127.0.0.1 18081 </dev/null; ip -o address show dev node0 | grep -o '${nodeAddress}'`;
      await node.agent.write(
        'host.yaml',
        podManifest('host', [container('main', script)], { ...never, hostNetwork: true }),
      );
      const view = await node.agent.waitForPod('host', hasPhase('Succeeded'));
      const [hostname, ...rest] = (await output('host')).split('\n');
      expect(hostname).not.toBe('host-n1');
      expect(rest).toEqual(['from the node', nodeAddress, '']);
      expect(view.pod.status?.podIP).toBe(nodeAddress);
    } finally {
      listener.close();
    }
  });

  test('containers start in the order of the spec', async () => {
    const names = ['one', 'two', 'three', 'four'];
    const mount = { volumeMounts: [{ name: 'shared', mountPath: '/shared' }] };
    await node.agent.write(
      'order.yaml',
      podManifest(
        'order',
        names.map((name) => container(name, `echo ${name} >>/shared/order; ${untilTerm}`, mount)),
        { volumes: [{ name: 'shared', emptyDir: {} }] },
      ),
    );
    const view = await node.agent.waitForPod('order', isRunning);
    const events = await node.agent.client.events({ namespace: 'default', name: 'order-n1' });
    const started = events
      .filter(({ reason }) => reason === 'Started')
      .map(({ involvedObject }) => /\{(.*)\}/.exec(involvedObject.fieldPath ?? '')?.[1]);
    expect(started).toEqual(names);
    expect(view.pod.status?.containerStatuses?.map(({ restartCount }) => restartCount)).toEqual([0, 0, 0, 0]);
  });

  test('runAsNonRoot refuses an image that runs as root, with the reason', async () => {
    await node.agent.write(
      'root.yaml',
      podManifest('root', [container('main', untilTerm, { securityContext: { runAsNonRoot: true } })]),
    );
    const view = await node.agent.waitForPod(
      'root',
      (each) => statusOf(each)?.state?.waiting?.reason === 'CreateContainerConfigError',
    );
    expect(statusOf(view)?.state?.waiting?.message).toContain('runAsNonRoot');
    const { stdout } = await node.agent.cli('explain', 'pod', 'default/root-n1');
    expect(stdout).toMatch(/container main: CreateContainerConfigError: .*runAsNonRoot/);
  });

  test('exec: output, exit status, and the container by name', async () => {
    await node.agent.write(
      'exec.yaml',
      podManifest('exec', [
        container('one', `echo 1 >/which; ${untilTerm}`),
        container('two', `echo 2 >/which; ${untilTerm}`),
      ]),
    );
    await node.agent.waitForPod('exec', isRunning);
    const which = await node.agent.waitFor(async () => {
      const result = await node.agent.cli('exec', 'exec', '-c', 'two', '--', 'cat', '/which');
      return result.code === 0 && result;
    });
    expect(which.stdout).toBe('2\n');
    expect(await node.agent.cli('exec', 'exec', '-c', 'one', '--', 'sh', '-c', 'exit 42')).toMatchObject({
      code: 42,
    });
    const echo = await node.agent.cliWithInput('through\n', 'exec', '-i', 'exec', '-c', 'one', '--', 'cat');
    expect(echo).toEqual({ code: 0, stdout: 'through\n', stderr: '' });
  });
});
