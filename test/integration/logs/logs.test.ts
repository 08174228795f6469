import { readFile, readdir, rename, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { systemClock } from '#host/clock.ts';
import type { AgentPod } from '#lib/kube/types.ts';
import { silentLogger } from '#lib/logger.ts';
import { LogRotator } from '#kubelet/logs/log-rotation.ts';
import { readLogs } from '#kubelet/logs/read-logs.ts';
import type { ReadLogsOptions } from '#kubelet/logs/read-logs.ts';
import { TerminationMessageFiles } from '#kubelet/logs/termination-message.ts';
import { logBed } from './log-bed.ts';
import type { LogBed } from './log-bed.ts';

let bed: LogBed;
beforeAll(async () => {
  bed = await logBed();
});
afterAll(() => bed.destroy());

const MAX = 10 << 20;
const unzip = promisify(gunzip);

function read(container: { id: string; path: string }, options: Partial<ReadLogsOptions> = {}) {
  return readLogs(
    container.path,
    { follow: false, timestamps: false, ...options },
    {
      root: bed.paths.podLogs,
      clock: systemClock,
      logger: silentLogger,
      signal: new AbortController().signal,
      isRunning: async () => (await bed.runtime.containerStatus(container.id)).state === 'CONTAINER_RUNNING',
    },
  );
}

async function textOf(chunks: AsyncIterable<Buffer>): Promise<string> {
  const parts: Buffer[] = [];
  for await (const chunk of chunks) parts.push(chunk);
  return Buffer.concat(parts).toString('latin1');
}

async function withRotator<T>(options: { maxSizeBytes: number }, work: () => Promise<T>): Promise<T> {
  const abort = new AbortController();
  const rotator = new LogRotator(
    bed.runtime,
    { root: bed.paths.podLogs, maxFiles: 5, workers: 1, intervalMs: 2000, ...options },
    systemClock,
    silentLogger,
  );
  const running = rotator.run(abort.signal);
  try {
    return await work();
  } finally {
    abort.abort();
    await running;
  }
}

/** A follower's check of numbered lines: that each comes once, in order. */
async function countLines(chunks: AsyncIterable<Buffer>): Promise<{ lines: number; wrong: string[] }> {
  let lines = 0;
  let rest = '';
  const wrong: string[] = [];
  for await (const chunk of chunks) {
    const all = (rest + chunk.toString('latin1')).split('\n');
    rest = all.pop() ?? '';
    for (const line of all) {
      if (Number(line.slice(0, 8)) !== lines && wrong.length < 5)
        wrong.push(`${lines}: ${line.slice(0, 20)}`);
      lines++;
    }
  }
  if (rest !== '') wrong.push(`a rest: ${rest}`);
  return { lines, wrong };
}

/** 5,000 lines of 100 bytes ten times a second: 5 MB/s at most, for as long as the machine needs. */
const writer = (rounds: number): string =>
  `r=0; while [ $r -lt ${rounds} ]; do
     awk -v s=$((r*5000)) 'BEGIN { for (n = s; n < s + 5000; n++) printf "%08d %090d\\n", n, 0 }'
     r=$((r+1)); sleep 0.08
   done`;

describe('rotation', () => {
  test('a container that writes 5 MB/s is kept in bounds, and followed without loss', async () => {
    const container = await bed.start(await bed.pod('fast'), 'fast', 'main', writer(110));
    const folder = dirname(container.path);
    let largest = 0;
    const { lines, wrong } = await withRotator({ maxSizeBytes: MAX }, async () => {
      const counting = countLines(read(container, { follow: true }));
      const done = new AbortController();
      void counting.finally(() => done.abort());
      while (!done.signal.aborted) {
        for (const name of await readdir(folder)) {
          largest = Math.max(largest, (await stat(join(folder, name)).catch(() => ({ size: 0 }))).size);
        }
        await pause(100);
      }
      return counting;
    });
    expect(wrong).toEqual([]);
    expect(lines).toBe(550_000);
    expect(largest).toBeLessThan(4 * MAX);

    const names = (await readdir(folder)).sort();
    expect(names.length).toBeGreaterThanOrEqual(4);
    expect(names.length).toBeLessThanOrEqual(5);
    expect(names.filter((name) => /^0\.log\.\d{8}-\d{6}$/.test(name))).toHaveLength(1);
    // The files that are left follow one another without a gap.
    const texts = [];
    for (const name of [...names.slice(1), '0.log']) {
      const bytes = await readFile(join(folder, name));
      texts.push((name.endsWith('.gz') ? await unzip(bytes) : bytes).toString('latin1'));
    }
    // containerd cuts the line that it has half read when a log is reopened: P ends one file, F begins the next.
    const whole = texts.join('').replaceAll(/ stdout P (.*)\n\S+ stdout F /g, ' stdout F $1');
    // The first may be the rest of a line whose beginning went with its file.
    const numbers = (whole.match(/(?<= stdout F )\d{8}/g) ?? []).slice(1).map(Number);
    expect(numbers.length).toBeGreaterThan(100_000);
    expect(numbers.at(-1)).toBe(549_999);
    expect(numbers.findIndex((number, index) => number !== (numbers[0] ?? 0) + index)).toBe(-1);
  });

  test('a log that a killed agent had renamed is reopened, and nothing is lost', async () => {
    const script = 'n=0; while [ $n -lt 60 ]; do printf "%08d\\n" $n; n=$((n+1)); sleep 0.1; done';
    const container = await bed.start(await bed.pod('killed'), 'killed', 'main', script);
    const counting = countLines(read(container, { follow: true }));
    await pause(1000);
    await rename(container.path, `${container.path}.20260102-030405`);
    await pause(1000);
    expect(await readdir(dirname(container.path))).toEqual(['0.log.20260102-030405']);
    const { lines, wrong } = await withRotator({ maxSizeBytes: MAX }, () => counting);
    expect(wrong).toEqual([]);
    expect(lines).toBe(60);
    expect((await readdir(dirname(container.path))).sort()).toEqual(['0.log', '0.log.20260102-030405']);
  });
});

describe('reading', () => {
  test('long lines come out whole, streams apart, the tail and timestamps as asked', async () => {
    const script = 'head -c 40000 /dev/zero | tr "\\0" x; echo; echo problem >&2; sleep 0.3; echo end';
    const container = await bed.start(await bed.pod('lines'), 'lines', 'main', script);
    await bed.ended(container.id);
    const raw = await readFile(container.path, 'utf8');
    // What it is joined from.
    expect(raw).toMatch(/ stdout P x+\n/);
    const text = await textOf(read(container, { stream: 'stdout' }));
    expect(text).toBe(`${'x'.repeat(40_000)}\nend\n`);
    expect(await textOf(read(container, { stream: 'stderr' }))).toBe('problem\n');
    expect(await textOf(read(container, { tailLines: 1 }))).toBe('end\n');
    expect(await textOf(read(container, { tailLines: 1, timestamps: true }))).toMatch(
      /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}(Z|[+-]\d\d:\d\d) end\n$/,
    );
    const { startedAt } = await bed.runtime.containerStatus(container.id);
    expect(await textOf(read(container, { sinceTime: Math.floor(startedAt) + 150 }))).toBe('end\n');
  });

  test('a follower sees a line within moments and the end soon after the container’s', async () => {
    const script = 'trap "exit 0" TERM; sleep 1; echo now; while :; do sleep 0.05; done';
    const container = await bed.start(await bed.pod('live'), 'live', 'main', script);
    const chunks = read(container, { follow: true });
    const first = await chunks.next();
    expect(first.value?.toString()).toBe('now\n');
    await bed.runtime.stopContainer(container.id, 5);
    const begin = performance.now();
    expect(await chunks.next()).toEqual({ done: true, value: undefined });
    expect(performance.now() - begin).toBeLessThan(3000);
  });
});

describe('termination messages', () => {
  const pod = (name: string) =>
    ({ metadata: { name, namespace: 'default', uid: `uid-${name}` } }) as AgentPod;

  test.each([
    ['written by another user', 'echo "bad luck" > /dev/termination-log; exit 3', 'File', 'bad luck\n'],
    ['from the log', 'echo one; echo two >&2; exit 3', 'FallbackToLogsOnError', 'one\ntwo\n'],
    ['nothing on success', 'echo one; exit 0', 'FallbackToLogsOnError', ''],
  ])('%s', async (title, script, policy, expected) => {
    const name = title.replaceAll(' ', '-');
    const files = new TerminationMessageFiles(bed.paths, systemClock, silentLogger);
    const hostPath = await files.prepare(pod(name), { name: 'main' });
    const base = { namespaceOptions: { network: 'POD', pid: 'CONTAINER', ipc: 'POD' } } as const;
    const { id } = await bed.start(await bed.pod(name), name, 'main', script, {
      mounts: [{ containerPath: '/dev/termination-log', hostPath, readonly: false }],
      annotations: { 'io.kubernetes.container.terminationMessagePolicy': policy },
      linux: {
        resources: {},
        securityContext: {
          ...base,
          runAsUser: 1000,
          privileged: false,
          readonlyRootfs: true,
          supplementalGroups: [],
          noNewPrivs: true,
          maskedPaths: [],
          readonlyPaths: [],
        },
      },
    });
    const status = await bed.ended(id);
    expect(basename(dirname(hostPath))).toBe('main');
    expect((await files.read(status, 1)).split('\n').sort()).toEqual(expected.split('\n').sort());
  });
});
