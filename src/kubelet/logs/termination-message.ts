import { randomBytes } from 'node:crypto';
import { basename, dirname, join } from 'node:path';
import type { ContainerStatus } from '#cri/types.ts';
import { ensureDir } from '#host/files.ts';
import { withDir } from '#host/open-dir.ts';
import type { Clock } from '#lib/clock.ts';
import { NotFoundError, describeError } from '#lib/errors.ts';
import type { AgentPod, Container } from '#lib/kube/types.ts';
import type { Logger } from '#lib/logger.ts';
import { CONTAINER_NAME_LABEL, POD_UID_LABEL } from '../pod/labels.ts';
import { type Paths, podContainerDir, podDir } from '../paths.ts';
import { readLogs } from './read-logs.ts';

/** Of one container's message file. */
const MAX_MESSAGE_BYTES = 4096;
/** Of its log, where that stands in. */
const MAX_LOG_BYTES = 2048;
const MAX_LOG_LINES = 80;
/** Of all messages of a pod, shared evenly. */
const MAX_POD_BYTES = 12 * 1024;
const READ_MS = 5000;

const POLICY_ANNOTATION = 'io.kubernetes.container.terminationMessagePolicy';

/** The last words of containers: the file at terminationMessagePath, or the end of the log. */
export class TerminationMessageFiles {
  readonly #paths: Paths;
  readonly #clock: Clock;
  readonly #logger: Logger;

  constructor(paths: Paths, clock: Clock, logger: Logger) {
    this.#paths = paths;
    this.#clock = clock;
    this.#logger = logger;
  }

  /**
   * An empty file for the container to write to, whatever its user; its path on the host. Each call makes a new
   * one: what an earlier instance wrote is read after the next has been prepared.
   */
  async prepare(pod: AgentPod, container: Container): Promise<string> {
    const { uid } = pod.metadata;
    const folder = podContainerDir(this.#paths, uid, container.name);
    await ensureDir(podDir(this.#paths, uid), 0o750);
    await ensureDir(dirname(folder), 0o750);
    await ensureDir(folder, 0o750);
    const name = randomBytes(4).toString('hex');
    const made = await withDir(this.#paths.root, folder, async (dir) => {
      const file = await dir.createFile(name, 0o666);
      await file.close();
      return join(folder, name);
    });
    if (made === undefined) throw new NotFoundError(`the folder ${folder} is gone`);
    return made;
  }

  /**
   * What to show as the message of an exited container: the runtime's own words, then the container's. Empty where
   * there is neither. Never rejects; what can't be read is said in the message.
   */
  async read(status: ContainerStatus, podContainers: number): Promise<string> {
    const fromFile = await this.#fromFile(status);
    const mayUseLog =
      status.annotations[POLICY_ANNOTATION] === 'FallbackToLogsOnError' &&
      status.exitCode !== 0 &&
      // It never ran, so there is no log of it.
      status.reason !== 'ContainerCannotRun' &&
      status.logPath !== '';
    const own = fromFile === '' && mayUseLog ? await this.#fromLog(status) : fromFile;
    return limitMessage(
      own === '' || status.message === '' ? status.message + own : `${status.message}: ${own}`,
      podContainers,
    );
  }

  async #fromFile(status: ContainerStatus): Promise<string> {
    const path = messageFile(this.#paths, status);
    if (path === undefined) return '';
    try {
      const bytes = await withDir(this.#paths.root, dirname(path), async (dir) => {
        const file = await dir.openFile(basename(path));
        if (file === undefined) return undefined;
        try {
          const size = await file.size();
          const buffer = Buffer.alloc(Math.min(size, MAX_MESSAGE_BYTES));
          return buffer.subarray(0, await file.read(buffer, size - buffer.length));
        } finally {
          await file.close();
        }
      });
      return bytes === undefined ? '' : lastText(bytes, MAX_MESSAGE_BYTES);
    } catch (error) {
      return `Error on reading termination log ${path}: ${describeError(error)}`;
    }
  }

  async #fromLog(status: ContainerStatus): Promise<string> {
    const signal = AbortSignal.timeout(READ_MS);
    const context = {
      root: this.#paths.podLogs,
      clock: this.#clock,
      logger: this.#logger,
      signal,
      isRunning: () => Promise.resolve(false),
    };
    const options = { follow: false, timestamps: false, tailLines: MAX_LOG_LINES };
    let end: Buffer = Buffer.alloc(0);
    try {
      for await (const chunk of readLogs(status.logPath, options, context)) {
        end = Buffer.concat([end, chunk]);
        if (end.length > MAX_LOG_BYTES) end = Buffer.from(end.subarray(end.length - MAX_LOG_BYTES));
      }
      return lastText(end, MAX_LOG_BYTES);
    } catch (error) {
      if (error instanceof NotFoundError) return '';
      return `Error on reading termination message from logs: ${describeError(error)}`;
    }
  }
}

/**
 * The file that `prepare` made for this container (or kubelet, whose place we took); undefined where it has none.
 * Found by where it lies, so that a volume which a pod mounts over the path is never read in its stead.
 */
export function messageFile(
  paths: Paths,
  status: Pick<ContainerStatus, 'labels' | 'mounts'>,
): string | undefined {
  const uid = status.labels[POD_UID_LABEL];
  const container = status.labels[CONTAINER_NAME_LABEL];
  if (uid === undefined || container === undefined) return undefined;
  const folder = podContainerDir(paths, uid, container);
  return status.mounts.find(({ hostPath }) => dirname(hostPath) === folder)?.hostPath;
}

/** The last bytes as text, at most `max` bytes of UTF-8; bytes that are no UTF-8 become U+FFFD. */
export function lastText(bytes: Buffer, max: number): string {
  // The bytes may begin in the middle of a character.
  let start = 0;
  while (start < Math.min(3, bytes.length) && isContinuation(bytes[start])) start++;
  const text = bytes.toString('utf8', start);
  const encoded = Buffer.from(text);
  if (encoded.length <= max) return text;
  // U+FFFD takes more room than the byte that it stands for.
  let from = encoded.length - max;
  while (isContinuation(encoded[from])) from++;
  return encoded.toString('utf8', from);
}

const isContinuation = (byte: number | undefined): boolean => byte !== undefined && (byte & 0xc0) === 0x80;

/** Cuts a message to the container's share of what a pod's messages may take in its status (12 KiB in all). */
export function limitMessage(message: string, podContainers: number): string {
  const max = Math.floor(MAX_POD_BYTES / Math.max(1, podContainers));
  const bytes = Buffer.from(message);
  if (bytes.length <= max) return message;
  let end = max;
  while (end > 0 && isContinuation(bytes[end])) end--;
  return bytes.toString('utf8', 0, end);
}
