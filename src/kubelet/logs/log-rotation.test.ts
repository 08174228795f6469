import { readdirSync, rmSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { RuntimeError } from '#cri/errors.ts';
import type { Container, ContainerStatus } from '#cri/types.ts';
import { silentLogger } from '#lib/logger.ts';
import { FakeClock } from '#lib/testing/fake-clock.ts';
import { LogRotator } from './log-rotation.ts';
import type { LogRotationOptions, RotationRuntime } from './log-rotation.ts';
import { LogWriter, tempLogs } from './testing/log-writer.ts';

/** Containers with real log files. */
class Containers implements RotationRuntime {
  readonly writers = new Map<string, LogWriter>();
  readonly reopened: string[] = [];
  readonly asked: string[] = [];
  refuse = false;

  add(id: string, path: string): LogWriter {
    const writer = new LogWriter(path);
    this.writers.set(id, writer);
    return writer;
  }

  listContainers = vi.fn((): Promise<Container[]> => {
    return Promise.resolve([...this.writers.keys()].map((id) => ({ id }) as Container));
  });

  containerStatus = (id: string): Promise<ContainerStatus> => {
    this.asked.push(id);
    const writer = this.writers.get(id);
    if (writer === undefined) return Promise.reject(new RuntimeError('ContainerStatus', 'NOT_FOUND', id));
    return Promise.resolve({ id, logPath: writer.path } as ContainerStatus);
  };

  reopenContainerLog = async (id: string): Promise<void> => {
    this.reopened.push(id);
    if (this.refuse) throw new RuntimeError('ReopenContainerLog', 'UNKNOWN', 'container is not running');
    await this.writers.get(id)?.reopen();
  };
}

describe('LogRotator', () => {
  const abort = { current: new AbortController() };
  let done: Promise<void> = Promise.resolve();
  afterEach(async () => {
    abort.current.abort();
    await done;
  });

  function start(root: string, more: Partial<LogRotationOptions> = {}) {
    const clock = new FakeClock();
    const containers = new Containers();
    const options = { root, maxSizeBytes: 10_000, maxFiles: 5, workers: 1, intervalMs: 10_000, ...more };
    const rotator = new LogRotator(containers, options, clock, silentLogger);
    return {
      clock,
      containers,
      run: (): void => {
        abort.current = new AbortController();
        done = rotator.run(abort.current.signal);
      },
      /** Lets a second pass, with time for the files. */
      second: async (count = 1): Promise<void> => {
        for (let n = 0; n < count; n++) {
          await clock.advance(1000);
          await new Promise((resolve) => setTimeout(resolve, 60));
        }
      },
    };
  }

  const names = (path: string): string[] => readdirSync(dirname(path)).sort();
  const kilobytes = (writer: LogWriter, count: number): void => writer.raw('x'.repeat(count * 1000));

  it('rotates what is full, keeps MaxFiles, compresses all but the newest rotated one', async () => {
    using setting = tempLogs();
    const { containers, run, second } = start(setting.root);
    const writer = containers.add('a', setting.path);
    run();
    for (let round = 0; round < 8; round++) {
      kilobytes(writer, 11);
      // Files take their time on a busy machine.
      for (let n = 0; n < 200 && statSync(setting.path, { throwIfNoEntry: false })?.size !== 0; n++) {
        await second();
      }
    }
    await vi.waitFor(
      () => expect(names(setting.path).filter((name) => name.endsWith('.gz'))).toHaveLength(3),
      { timeout: 8000 },
    );
    expect(names(setting.path).map((name) => name.replace(/\d{8}-\d{6}/, 'T'))).toEqual([
      '0.log',
      '0.log.T.gz',
      '0.log.T.gz',
      '0.log.T.gz',
      '0.log.T',
    ]);
  });

  it('looks at a fast log when it will be full, at a still one only each interval', async () => {
    using setting = tempLogs();
    const { containers, run, second } = start(setting.root, { intervalMs: 60_000 });
    const fast = containers.add('fast', setting.path);
    containers.add('still', join(setting.root, 'default_web_0a1b', 'other', '0.log'));
    kilobytes(fast, 3);
    run();
    await vi.waitFor(() => expect(containers.asked).toHaveLength(2));
    kilobytes(fast, 2);
    // At 2 kB a second it will be full in 2.5 s: that is when it is looked at.
    await second();
    kilobytes(fast, 9);
    await second(2);
    expect(containers.reopened).toEqual([]);
    await second(2);
    await vi.waitFor(() => expect(containers.reopened).toEqual(['fast']), { timeout: 5000 });
    expect(containers.listContainers).toHaveBeenCalledTimes(1);
  });

  it('gives the log its name back when the container has ended, and tries again later', async () => {
    using setting = tempLogs();
    const { containers, run, second } = start(setting.root);
    const writer = containers.add('a', setting.path);
    containers.refuse = true;
    kilobytes(writer, 20);
    run();
    await second(3);
    expect(names(setting.path)).toEqual(['0.log']);
    expect(containers.reopened).toEqual(['a']);
    containers.refuse = false;
    await second(12);
    expect(names(setting.path)).toHaveLength(2);
  });

  it('has a log reopened that is missing since a kill between rename and reopen', async () => {
    using setting = tempLogs();
    const { containers, run, second } = start(setting.root);
    containers.add('a', setting.path);
    rmSync(setting.path);
    run();
    await second(2);
    expect(names(setting.path)).toEqual(['0.log']);
  });

  it('forgets containers that are gone, and leaves the others’ logs alone', async () => {
    using setting = tempLogs();
    const { containers, run, second } = start(setting.root);
    const writer = containers.add('a', setting.path);
    run();
    await second(2);
    containers.writers.clear();
    await second(10);
    kilobytes(writer, 50);
    await second(15);
    expect(names(setting.path)).toEqual(['0.log']);
  });

  it('does nothing with a negative size', async () => {
    using setting = tempLogs();
    const { containers, run } = start(setting.root, { maxSizeBytes: -1 });
    run();
    await done;
    expect(containers.listContainers).not.toHaveBeenCalled();
  });
});
