import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, open, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { AgentClient } from '#cli/client.ts';
import type { PodView } from '#server/view.ts';
import { assertBed } from './bed.ts';
import type { TestContainerd } from './containerd.ts';
import { exec } from './exec.ts';
import { mountTable } from './inventory.ts';

export interface AgentOptions {
  containerd: Pick<TestContainerd, 'endpoint'>;
  /** `standalone` unless given; `kubelet` takes the manifests by --pod-manifest-path. */
  mode?: 'standalone' | 'kubelet';
  /** File names and texts that are in the directory of manifests before the agent starts. */
  manifests?: Readonly<Record<string, string>>;
  /** After the bed's own, so that they win. */
  flags?: readonly string[];
  env?: NodeJS.ProcessEnv;
  /** `n1` unless given: static pods are named `NAME-n1`. */
  nodeName?: string;
}

export interface CliResult {
  code: number;
  stdout: string;
  stderr: string;
}

/** A real agent process on a real runtime, with folders of its own. */
export interface TestAgent {
  readonly dir: string;
  /** The directory of manifests. */
  readonly manifests: string;
  readonly rootDir: string;
  readonly podLogs: string;
  readonly containerLogs: string;
  readonly socket: string;
  readonly nodeName: string;
  readonly client: AgentClient;
  pid(): number;
  pods(): Promise<PodView[]>;
  /** By name, with the node's or without, in namespace default; undefined where there is none. */
  pod(name: string): Promise<PodView | undefined>;
  /**
   * Polls until the condition gives neither undefined nor false, and gives that. A condition that rejects counts as
   * not met: the agent may be down. 60 s unless given; the error then tells what the agent shows.
   */
  waitFor<T>(
    condition: () => Promise<T | undefined | false> | T | undefined | false,
    timeoutMs?: number,
  ): Promise<T>;
  /** waitFor on one pod. */
  waitForPod(name: string, holds: (view: PodView) => boolean, timeoutMs?: number): Promise<PodView>;
  /** Waits until the agent doesn't know the pod any more. */
  waitForGone(name: string, timeoutMs?: number): Promise<void>;
  /** Puts a manifest into the directory in one go, as `mv` does; several documents are joined. */
  write(file: string, ...documents: string[]): Promise<void>;
  remove(file: string): Promise<void>;
  /** Runs bin/nodelet with this agent's socket. */
  cli(...args: string[]): Promise<CliResult>;
  cliWithInput(input: string, ...args: string[]): Promise<CliResult>;
  /** KILL, and waits for the process's end. Pods run on. */
  kill9(): Promise<void>;
  /** TERM, and waits for the process's end: its exit status. Pods run on. */
  stop(): Promise<number>;
  /** Ends it (TERM) where it runs, and starts it again; resolves when it answers. */
  restart(...moreFlags: string[]): Promise<void>;
  /** Starts it and doesn't wait for an answer. */
  spawn(...moreFlags: string[]): Promise<void>;
  /** Resolves when it answers on its socket. */
  answers(timeoutMs?: number): Promise<void>;
  /** All that it has logged, over restarts. */
  log(): Promise<string>;
  /** Resident memory in KiB. */
  rss(): Promise<number>;
  /** Processor time used so far by this process, in milliseconds. */
  cpuMs(): Promise<number>;
  /** Removes all manifests, waits until no pod is left, ends the agent and removes its folders: for afterAll. */
  destroy(): Promise<void>;
}

/** The checkout's launcher; another build can be tried by naming its launcher. */
const program =
  process.env['NODELET_TEST_PROGRAM'] ?? fileURLToPath(new URL('../../bin/nodelet', import.meta.url));

export async function startAgent(options: AgentOptions): Promise<TestAgent> {
  const agent = await prepareAgent(options);
  await agent.restart();
  return agent;
}

/** As startAgent, but the process isn't started yet. */
export async function prepareAgent(options: AgentOptions): Promise<TestAgent> {
  assertBed();
  const dir = await mkdtemp(join(tmpdir(), 'agent-'));
  const at = (name: string): string => join(dir, name);
  const nodeName = options.nodeName ?? 'n1';
  const [manifests, rootDir, podLogs, containerLogs, socket, logFile] = [
    at('manifests'),
    at('root'),
    at('logs/pods'),
    at('logs/containers'),
    at('state/nodelet.sock'),
    at('agent.log'),
  ];
  await mkdir(manifests);
  await mkdir(at('state'));
  for (const [file, text] of Object.entries(options.manifests ?? {})) {
    await writeFile(join(manifests, file), text);
  }
  const mode = options.mode ?? 'standalone';
  const args = [
    mode,
    `--container-runtime-endpoint=${options.containerd.endpoint}`,
    `--root-dir=${rootDir}`,
    `--pod-logs-dir=${podLogs}`,
    `--container-logs-dir=${containerLogs}`,
    `--socket=${socket}`,
    `--hostname-override=${nodeName}`,
    '--v=4',
    ...(mode === 'standalone'
      ? [`--manifests=${manifests}`, `--state-dir=${at('state')}`, `--applied-dir=${at('applied')}`]
      : [`--pod-manifest-path=${manifests}`]),
    ...(options.flags ?? []),
  ];
  const env = { ...process.env, HOME: at('home'), ...options.env };
  const client = new AgentClient(socket, new AbortController().signal);
  const log = (): Promise<string> => readFile(logFile, 'utf8').catch(() => '');
  let child: ChildProcess | undefined;
  const runs = (): boolean => child !== undefined && child.exitCode === null && child.signalCode === null;

  async function start(...moreFlags: string[]): Promise<void> {
    const output = await open(logFile, 'a');
    try {
      child = spawn(program, [...args, ...moreFlags], { env, stdio: ['ignore', output.fd, output.fd] });
    } finally {
      await output.close();
    }
  }

  async function end(signal: 'SIGTERM' | 'SIGKILL'): Promise<number> {
    const ending = child;
    if (ending === undefined || !runs()) return child?.exitCode ?? 137;
    const ended = once(ending, 'exit') as Promise<[number | null]>;
    ending.kill(signal);
    const [code] = await ended;
    return code ?? 137;
  }

  async function stat(field: string, file: string, pattern: RegExp): Promise<number> {
    const text = await readFile(`/proc/${child?.pid}/${file}`, 'utf8');
    const found = pattern.exec(text)?.[1];
    if (found === undefined) throw new Error(`no ${field} in ${file}`);
    return Number(found);
  }

  function run(input: string, words: string[]): Promise<CliResult> {
    return new Promise((resolve, reject) => {
      const process = spawn(program, words, { env: { ...env, NODELET_SOCKET: socket } });
      let [stdout, stderr] = ['', ''];
      process.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
      process.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
      process.stdin.on('error', () => undefined);
      process.stdin.end(input);
      process.on('error', reject);
      process.on('close', (code) => resolve({ code: code ?? 137, stdout, stderr }));
    });
  }

  const agent: TestAgent = {
    dir,
    manifests,
    rootDir,
    podLogs,
    containerLogs,
    socket,
    nodeName,
    client,
    pid: () => child?.pid ?? 0,
    pods: () => client.pods(),
    async pod(name) {
      const views = await client.pods();
      const names = [name, `${name}-${nodeName}`];
      return views.find(
        ({ pod }) =>
          names.includes(pod.metadata?.name ?? '') && (pod.metadata?.namespace ?? 'default') === 'default',
      );
    },
    async waitFor(condition, timeoutMs = 60_000) {
      const deadline = Date.now() + timeoutMs;
      let trouble: unknown;
      for (;;) {
        try {
          const value = await condition();
          if (value !== undefined && value !== false) return value;
          trouble = undefined;
        } catch (error) {
          trouble = error;
        }
        if (Date.now() > deadline) {
          throw new Error(`not within ${timeoutMs} ms; the agent shows:\n${await report()}`, {
            cause: trouble,
          });
        }
        await wait(25);
      }
    },
    waitForPod: (name, holds, timeoutMs) =>
      agent.waitFor(async () => {
        const view = await agent.pod(name);
        return view !== undefined && holds(view) ? view : undefined;
      }, timeoutMs),
    async waitForGone(name, timeoutMs) {
      await agent.waitFor(async () => (await agent.pod(name)) === undefined, timeoutMs);
    },
    async write(file, ...documents) {
      const draft = join(manifests, `.${file}.draft`);
      await writeFile(draft, documents.join('\n---\n'));
      await rename(draft, join(manifests, file));
    },
    remove: (file) => rm(join(manifests, file), { force: true }),
    cli: (...words) => run('', words),
    cliWithInput: (input, ...words) => run(input, words),
    async kill9() {
      await end('SIGKILL');
    },
    stop: () => end('SIGTERM'),
    async restart(...moreFlags) {
      await end('SIGTERM');
      await start(...moreFlags);
      await agent.answers();
    },
    async spawn(...moreFlags) {
      await end('SIGTERM');
      await start(...moreFlags);
    },
    async answers(timeoutMs = 60_000) {
      const deadline = Date.now() + timeoutMs;
      while (!(await client.node().then(Boolean, () => false))) {
        if (!runs() || Date.now() > deadline) {
          throw new Error(`the agent does not start:\n${(await log()).slice(-4000)}`);
        }
        await wait(20);
      }
    },
    log,
    rss: () => stat('resident memory', 'status', /^VmRSS:\s*(\d+) kB$/m),
    async cpuMs() {
      // Fields 14 and 15 of stat, counted after the name in parentheses; clock ticks of 10 ms.
      const text = await readFile(`/proc/${child?.pid}/stat`, 'utf8');
      const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
      return (Number(fields[11]) + Number(fields[12])) * 10;
    },
    async destroy() {
      try {
        await rm(manifests, { recursive: true, force: true });
        await rm(at('applied'), { recursive: true, force: true });
        if (runs()) {
          await mkdir(manifests);
          await agent.waitFor(async () => (await agent.pods()).length === 0, 90_000);
        }
      } finally {
        if ((await end('SIGTERM')) !== 0) await end('SIGKILL');
        for (const { point } of (await mountTable()).toReversed()) {
          if (point.startsWith(`${dir}/`)) await exec('umount', ['-l', '--', point]).catch(() => undefined);
        }
        await rm(dir, { recursive: true, force: true, maxRetries: 5 });
      }
    },
  };

  async function report(): Promise<string> {
    const show = ({ pod, waits, terminating }: PodView): string => {
      const { phase, initContainerStatuses = [], containerStatuses = [] } = pod.status ?? {};
      const containers = [...initContainerStatuses, ...containerStatuses].map(
        ({ name, restartCount, state, lastState }) => ({ name, restartCount, state, lastState }),
      );
      return `${pod.metadata?.name} ${phase}${terminating ? ', ending' : ''} ${JSON.stringify({ waits, containers })}`;
    };
    const lines = await agent.pods().then(
      (views) => views.map(show),
      (error: unknown) => [String(error)],
    );
    const log = (await agent.log()).trimEnd().split('\n').slice(-15);
    return [...lines, ...log.map((line) => line.slice(0, 300))].join('\n');
  }

  return agent;
}
