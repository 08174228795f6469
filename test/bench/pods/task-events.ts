import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { dirname, delimiter } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as wait } from 'node:timers/promises';

interface Seen {
  id: string;
  /** As performance.now() counts. */
  at: number;
}

const DEADLINE_MS = 180_000;

/**
 * What containerd itself tells of starts and removals (`ctr events`): a clock for the agent's work that puts no load
 * on the agent. Every containerd has these events; CRI's own came with 1.7.
 */
export class TaskEvents {
  readonly #child: ChildProcess;
  readonly #sandboxImage: string;
  readonly #sandboxes = new Set<string>();
  #started: Seen[] = [];
  #removed: Seen[] = [];
  #changed = Promise.withResolvers<void>();

  constructor(socket: string, sandboxImage: string) {
    this.#sandboxImage = sandboxImage;
    const binary = process.env['NODELET_TEST_CONTAINERD'] ?? '/usr/bin/containerd';
    const path = [dirname(binary), process.env['PATH'] ?? ''].join(delimiter);
    this.#child = spawn('ctr', ['--address', socket, '--namespace', 'k8s.io', 'events'], {
      env: { ...process.env, PATH: path },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    if (this.#child.stdout === null) throw new TypeError('ctr has no standard output');
    createInterface(this.#child.stdout).on('line', (line) => this.#take(line));
  }

  /** Forgets what has been: the next waits count from here. */
  begin(): number {
    this.#started = [];
    this.#removed = [];
    return performance.now();
  }

  /** When each of the next `count` containers (no sandboxes) ran, as performance.now() counts. */
  started(count: number): Promise<number[]> {
    return this.#until(() => this.#started, count, 'containers started');
  }

  /** When each of the next `count` sandboxes was removed. */
  removed(count: number): Promise<number[]> {
    return this.#until(() => this.#removed, count, 'sandboxes removed');
  }

  close(): void {
    this.#child.kill();
  }

  async #until(of: () => Seen[], count: number, what: string): Promise<number[]> {
    const deadline = performance.now() + DEADLINE_MS;
    while (of().length < count) {
      await Promise.race([this.#changed.promise, wait(1000)]);
      if (performance.now() > deadline) throw new Error(`only ${of().length} of ${count} ${what}`);
    }
    return of().map(({ at }) => at);
  }

  #take(line: string): void {
    const at = performance.now();
    const [, topic, json] = /k8s\.io (\/\S+) (\{.*\})$/.exec(line) ?? [];
    if (topic === undefined || json === undefined) return;
    const event = JSON.parse(json) as { id?: string; image?: string; container_id?: string };
    if (topic === '/containers/create' && event.image === this.#sandboxImage && event.id !== undefined) {
      this.#sandboxes.add(event.id);
    } else if (topic === '/tasks/start' && !this.#sandboxes.has(event.container_id ?? '')) {
      this.#started.push({ id: event.container_id ?? '', at });
    } else if (topic === '/containers/delete' && this.#sandboxes.delete(event.id ?? '')) {
      this.#removed.push({ id: event.id ?? '', at });
    }
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }
}
