import { mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { ContainerStatus } from '#cri/types.ts';
import { systemClock } from '#host/clock.ts';
import type { AgentPod } from '#lib/kube/types.ts';
import { silentLogger } from '#lib/logger.ts';
import { TerminationMessageFiles, lastText, limitMessage } from './termination-message.ts';
import { criLine } from './testing/log-writer.ts';

function setting() {
  const top = mkdtempSync(join(tmpdir(), 'messages-'));
  const paths = {
    root: join(top, 'kubelet'),
    podLogs: join(top, 'pods'),
    containerLogs: join(top, 'containers'),
  };
  for (const path of Object.values(paths)) mkdirSync(path);
  const files = new TerminationMessageFiles(paths, systemClock, silentLogger);
  const pod = { metadata: { uid: 'u1', name: 'web', namespace: 'default' } } as AgentPod;
  const logPath = join(paths.podLogs, 'default_web_u1', 'main', '0.log');
  return {
    top,
    files,
    prepare: () => files.prepare(pod, { name: 'main' }),
    log(...lines: string[]): void {
      mkdirSync(dirname(logPath), { recursive: true });
      writeFileSync(logPath, lines.join(''));
    },
    status: (
      hostPath: string,
      more: Partial<ContainerStatus> & { fallback?: boolean } = {},
    ): ContainerStatus => {
      const { fallback, ...rest } = more;
      return {
        message: '',
        reason: 'Error',
        exitCode: 1,
        logPath,
        labels: { 'io.kubernetes.pod.uid': 'u1', 'io.kubernetes.container.name': 'main' },
        annotations: {
          'io.kubernetes.container.terminationMessagePolicy':
            fallback === true ? 'FallbackToLogsOnError' : 'File',
        },
        mounts: [{ containerPath: '/dev/termination-log', hostPath, readonly: false }],
        ...rest,
      } as ContainerStatus;
    },
    [Symbol.dispose]: () => rmSync(top, { recursive: true, force: true }),
  };
}

describe('prepare', () => {
  it('makes a file that any user can write to, whatever the umask, and another each time', async () => {
    using s = setting();
    const before = process.umask(0o077);
    try {
      const [first, second] = [await s.prepare(), await s.prepare()];
      expect(dirname(first)).toBe(join(s.top, 'kubelet/pods/u1/containers/main'));
      expect(statSync(first).mode & 0o7777).toBe(0o666);
      expect(statSync(dirname(first)).mode & 0o7777).toBe(0o750);
      expect(second).not.toBe(first);
    } finally {
      process.umask(before);
    }
  });
});

describe('read', () => {
  it.each<[string, string, string]>([
    ['nothing', '', ''],
    ['a message', 'gone\n', 'gone\n'],
    ['the last 4096 bytes', `${'x'.repeat(4096)}tail`, `${'x'.repeat(4092)}tail`],
  ])('%s', async (_, written, expected) => {
    using s = setting();
    const path = await s.prepare();
    writeFileSync(path, written);
    expect(await s.files.read(s.status(path), 1)).toBe(expected);
  });

  it('puts the runtime’s own words first', async () => {
    using s = setting();
    const path = await s.prepare();
    writeFileSync(path, 'mine');
    expect(await s.files.read(s.status(path, { message: 'OOM' }), 1)).toBe('OOM: mine');
    writeFileSync(path, '');
    expect(await s.files.read(s.status(path, { message: 'OOM' }), 1)).toBe('OOM');
  });

  it('takes the end of the log only where asked, on failure, and without a message', async () => {
    using s = setting();
    const path = await s.prepare();
    s.log(...Array.from({ length: 100 }, (_, n) => criLine(`l${n}`)));
    const last80 = Array.from({ length: 80 }, (_, n) => `l${n + 20}\n`).join('');
    const read = (more: Parameters<typeof s.status>[1]) => s.files.read(s.status(path, more), 1);
    expect(await read({ fallback: true })).toBe(last80);
    expect(await read({ fallback: false })).toBe('');
    expect(await read({ fallback: true, exitCode: 0 })).toBe('');
    expect(await read({ fallback: true, reason: 'ContainerCannotRun' })).toBe('');
    // Also without any message file.
    expect(await read({ fallback: true, mounts: [] })).toBe(last80);
    writeFileSync(path, 'said');
    expect(await read({ fallback: true })).toBe('said');
  });

  it('takes 2048 bytes of the log, and nothing of a log that isn’t there', async () => {
    using s = setting();
    const path = await s.prepare();
    expect(await s.files.read(s.status(path, { fallback: true }), 1)).toBe('');
    s.log(criLine('a'.repeat(3000)), criLine('b'.repeat(1000)));
    const text = await s.files.read(s.status(path, { fallback: true }), 1);
    expect(text).toBe(`${'a'.repeat(1046)}\n${'b'.repeat(1000)}\n`);
  });

  it('never follows a link that took the file’s place, nor reads what a volume put over the path', async () => {
    using s = setting();
    const secret = join(s.top, 'secret');
    writeFileSync(secret, 'secret');
    expect(await s.files.read(s.status(secret), 1)).toBe('');
    const path = await s.prepare();
    unlinkSync(path);
    symlinkSync(secret, path);
    expect(await s.files.read(s.status(path), 1)).toMatch(/^Error on reading termination log .*link/);
  });

  it('shares 12 KiB among the pod’s containers', async () => {
    using s = setting();
    const path = await s.prepare();
    writeFileSync(path, 'ä'.repeat(2048));
    expect(Buffer.byteLength(await s.files.read(s.status(path), 3))).toBe(4096);
    expect(await s.files.read(s.status(path), 5)).toBe('ä'.repeat(1228));
  });
});

describe('text', () => {
  it.each<[string, Buffer, number, string]>([
    ['begins at a character', Buffer.from('äöü').subarray(1), 10, 'öü'],
    ['marks what is no UTF-8', Buffer.from([0x61, 0xff, 0x62]), 10, 'a\uFFFDb'],
    [
      'stays within its bytes although the marks are longer',
      Buffer.from([0xff, 0xff, 0xff, 0x61]),
      5,
      '\uFFFDa',
    ],
    ['keeps what is only continuation', Buffer.from([0x80, 0x80, 0x80, 0x61]), 9, 'a'],
  ])('lastText %s', (_, bytes, max, expected) => {
    expect(lastText(bytes, max)).toBe(expected);
  });

  it('limitMessage cuts between characters', () => {
    expect(limitMessage('€'.repeat(5000), 1)).toBe('€'.repeat(4096));
    expect(limitMessage(`a${'€'.repeat(5000)}`, 1)).toBe(`a${'€'.repeat(4095)}`);
    expect(limitMessage('short', 100)).toBe('short');
  });
});
