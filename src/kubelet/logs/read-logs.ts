import { basename, dirname } from 'node:path';
import { withDir } from '#host/open-dir.ts';
import type { OpenFile } from '#host/open-dir.ts';
import { sleep } from '#lib/clock.ts';
import type { Clock } from '#lib/clock.ts';
import { NotFoundError } from '#lib/errors.ts';
import type { Logger } from '#lib/logger.ts';
import { CriLogParser } from './cri-log.ts';
import type { LogStream } from './cri-log.ts';
import { LogOutput } from './log-output.ts';
import { LogTrail } from './log-trail.ts';
import { tailStart } from './tail.ts';

export interface ReadLogsOptions {
  follow: boolean;
  timestamps: boolean;
  /** Only the last lines of the file as it is now, and when following what comes after. */
  tailLines?: number;
  /** Wall milliseconds: only lines written since. */
  sinceTime?: number;
  limitBytes?: number;
  stream?: LogStream;
}

export interface ReadLogsContext {
  /** The pod logs' root, `/var/log/pods`: below it no link is followed. */
  root: string;
  clock: Clock;
  logger: Logger;
  signal: AbortSignal;
  /** Whether the container may still write; false also where it is gone. A rejection means "not known now". */
  isRunning(): Promise<boolean>;
}

const CHUNK = 64 << 10;
/** How often a quiet follower asks whether the container still runs. */
const ASK_MS = 1000;
/** A busy container writes line by line: reads are gathered. */
const GATHER_MS = 10;
/** The runtime writes what it still holds to a file's end just after it has opened the next, or said "exited". */
const SETTLE_MS = 250;
/** Between rename and reopen a log has no file for a moment. */
const ABSENT_MS = 1000;

/**
 * A container's log as `kubectl logs` shows it (CRI's log format in, messages out): the file's current content
 * without the rotated files before, then, when following, all that is written until the container has stopped,
 * across rotations, nothing lost and nothing twice.
 *
 * Ends quietly when the signal aborts. Rejects with NotFoundError where there is no log and none is to come, and
 * with UnsafePathError where the path isn't a plain file below the root. Reads on only as the consumer takes.
 */
export function readLogs(
  path: string,
  options: ReadLogsOptions,
  context: ReadLogsContext,
): AsyncGenerator<Buffer, void> {
  return options.follow ? follow(path, options, context) : readOnce(path, options, context);
}

const newOutput = (options: ReadLogsOptions): LogOutput =>
  new LogOutput({
    timestamps: options.timestamps,
    sinceTime: options.sinceTime,
    limitBytes: options.limitBytes,
    limitLines: options.follow ? undefined : options.tailLines,
    stream: options.stream,
  });

const startOf = (file: OpenFile, size: number, options: ReadLogsOptions): Promise<number> | number =>
  options.tailLines === undefined ? 0 : tailStart(file, size, options.tailLines);

async function* readOnce(
  path: string,
  options: ReadLogsOptions,
  context: ReadLogsContext,
): AsyncGenerator<Buffer, void> {
  const file = await openCurrent(path, context);
  try {
    // As long as it is now: a container that writes faster than we read must not keep us for ever.
    const size = await file.size();
    const parser = new CriLogParser();
    const output = newOutput(options);
    const buffer = Buffer.allocUnsafe(CHUNK);
    for (let at = await startOf(file, size, options); at < size && !output.done;) {
      if (context.signal.aborted) return;
      const count = await file.read(buffer.subarray(0, Math.min(CHUNK, size - at)), at);
      if (count === 0) break;
      at += count;
      for (const piece of parser.push(buffer.subarray(0, count))) output.add(piece);
      const chunk = output.take();
      if (chunk !== undefined) yield chunk;
    }
    noteMalformed(path, parser, context);
  } finally {
    await file.close();
  }
}

async function openCurrent(path: string, context: ReadLogsContext): Promise<OpenFile> {
  const { clock, root, signal } = context;
  const started = clock.monotonic();
  for (;;) {
    const file = await withDir(root, dirname(path), (dir) => dir.openFile(basename(path)));
    if (file !== undefined) return file;
    if (clock.monotonic() - started >= ABSENT_MS || !(await mayStillWrite(context))) {
      throw new NotFoundError(`there is no log ${path}`);
    }
    await sleep(clock, 50, signal);
  }
}

/** What isn't known counts as running: the runtime may be restarting. */
async function mayStillWrite(context: ReadLogsContext): Promise<boolean> {
  const { promise: aborted, resolve } = Promise.withResolvers<true>();
  const abort = (): void => resolve(true);
  context.signal.addEventListener('abort', abort, { once: true });
  try {
    return await Promise.race([context.isRunning(), aborted]);
  } catch (error) {
    context.logger.debug({ err: error }, 'cannot tell whether the container still runs');
    return true;
  } finally {
    context.signal.removeEventListener('abort', abort);
  }
}

function noteMalformed(path: string, parser: CriLogParser, { logger }: ReadLogsContext): void {
  if (parser.malformed > 0) logger.debug({ path, lines: parser.malformed }, 'skipped malformed log lines');
}

async function* follow(
  path: string,
  options: ReadLogsOptions,
  context: ReadLogsContext,
): AsyncGenerator<Buffer, void> {
  const { clock, logger, root, signal } = context;
  const trail = new LogTrail(root, path, clock, logger);
  const output = newOutput(options);
  const buffer = Buffer.allocUnsafe(CHUNK);
  let parser = new CriLogParser();
  let reading: { file: OpenFile; at: number; grew: number } | undefined;
  let asked = Number.NEGATIVE_INFINITY;
  let stopped: number | undefined;
  let superseded: number | undefined;
  try {
    await trail.refresh();
    // A log that begins later has no past that the reader may want to skip.
    let hasPast = trail.current !== undefined;
    while (!signal.aborted && !output.done) {
      const file = trail.current;
      if (file !== undefined && file !== reading?.file) {
        const at = hasPast ? await startOf(file, await file.size(), options) : 0;
        hasPast = false;
        superseded = undefined;
        noteMalformed(path, parser, context);
        if (parser.midLine) output.breakLine();
        parser = new CriLogParser();
        reading = { file, at, grew: clock.monotonic() };
      }
      if (reading !== undefined) {
        const count = await reading.file.read(buffer, reading.at);
        if (count > 0) {
          reading.at += count;
          reading.grew = clock.monotonic();
          for (const piece of parser.push(buffer.subarray(0, count))) output.add(piece);
          const chunk = output.take();
          if (chunk !== undefined) yield chunk;
          continue;
        }
        if ((await reading.file.size()) < reading.at) {
          // Somebody else's rotation by copying and truncating.
          reading = { file: reading.file, at: 0, grew: clock.monotonic() };
          parser = new CriLogParser();
          continue;
        }
        if (trail.superseded) {
          superseded ??= clock.monotonic();
          if (clock.monotonic() - Math.max(superseded, reading.grew) >= SETTLE_MS) await trail.advance();
          else await sleep(clock, SETTLE_MS, signal);
          continue;
        }
      }
      if (stopped !== undefined) {
        if (clock.monotonic() - Math.max(stopped, reading?.grew ?? stopped) >= SETTLE_MS) return;
        await sleep(clock, SETTLE_MS, signal);
        await trail.refresh();
        continue;
      }
      if (clock.monotonic() - asked >= ASK_MS) {
        const running = await mayStillWrite(context);
        asked = clock.monotonic();
        if (!running) stopped = asked;
        // Whatever the answer, it took a while: see what came meanwhile.
        await trail.refresh();
        continue;
      }
      await trail.wait(ASK_MS, signal);
      await sleep(clock, GATHER_MS, signal);
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    noteMalformed(path, parser, context);
    await trail.close();
  }
}
