/**
 * The systemd driver's part: groups as slice units, so that systemd knows them and doesn't undo their limits
 * (systemd.resource-control(5), org.freedesktop.systemd1(5)). What systemd has no setting for is written to the
 * group's files as with the cgroupfs driver.
 */
import type { RunResult } from '#host/process.ts';
import { sleep } from '#lib/clock.ts';
import type { Clock } from '#lib/clock.ts';
import { weightOf } from './cpu.ts';
import { CgroupError } from './errors.ts';
import { unitOf } from './names.ts';
import type { CgroupLimits } from './pod-limits.ts';

/** Runs a program to its end, as `run` of src/host does. */
export type ProgramRunner = (
  program: string,
  args: readonly string[],
  options: { timeoutMs: number },
) => Promise<RunResult>;

const CALL_MS = 10_000;
const POLL_MS = 20;

type Property = { name: string; type: 'b' | 's' | 't' | 'as'; words: string[] };

const wants = (unit: string): Property => ({ name: 'Wants', type: 'as', words: ['1', unit] });

/** systemd knows CPU time as whole percents: rounded up, so that no container's own quota exceeds its pod's. */
const percentOf = (limits: CgroupLimits): number | undefined =>
  limits.cpuQuotaUs === undefined
    ? undefined
    : Math.ceil((limits.cpuQuotaUs * 100) / (limits.cpuPeriodUs ?? 100_000));

export class SystemdSlices {
  readonly #run: ProgramRunner;
  readonly #clock: Clock;
  readonly #version: 1 | 2;

  constructor(run: ProgramRunner, clock: Clock, cgroupVersion: 1 | 2) {
    this.#run = run;
    this.#clock = clock;
    this.#version = cgroupVersion;
  }

  /**
   * Makes the slice of the path, or gives an existing one these limits. What is undefined becomes unlimited with
   * `set`, and stays as it is with `adjust`.
   */
  async ensure(path: string, limits: CgroupLimits, how: 'set' | 'adjust'): Promise<void> {
    const state = await this.#state(path);
    if (state === 'active') {
      await this.#setProperties(path, this.#settings(limits, how === 'set'));
      return;
    }
    if (state === 'failed') await this.#systemctl(['reset-failed', '--', unitOf(path)]);
    await this.#start(path, limits);
    for (const end = this.#clock.monotonic() + CALL_MS; (await this.#state(path)) !== 'active';) {
      if (this.#clock.monotonic() >= end) {
        throw new CgroupError(`systemd did not start ${unitOf(path)} in ${CALL_MS} ms`, { retryable: true });
      }
      await sleep(this.#clock, POLL_MS);
    }
  }

  /** Changes only what `limits` names. */
  async adjust(path: string, limits: CgroupLimits): Promise<void> {
    await this.#setProperties(path, this.#settings(limits, false));
  }

  /** Ends what runs in the slice. systemd removes the group, unless somebody else has made groups in it. */
  async stop(path: string): Promise<void> {
    if ((await this.#state(path)) === 'inactive') return;
    await this.#systemctl(['stop', '--', unitOf(path)]);
  }

  async #state(path: string): Promise<string> {
    const { stdout } = await this.#systemctl([
      'show',
      '--property=ActiveState',
      '--value',
      '--',
      unitOf(path),
    ]);
    return stdout.trim();
  }

  async #start(path: string, limits: CgroupLimits): Promise<void> {
    const unit = unitOf(path);
    const above = path.slice(0, path.lastIndexOf('/'));
    const properties: Property[] = [
      { name: 'Description', type: 's', words: [`nodelet cgroup ${unit}`] },
      { name: 'DefaultDependencies', type: 'b', words: ['false'] },
      ...(above === '' ? [] : [wants(unitOf(above))]),
      ...['MemoryAccounting', 'CPUAccounting', 'TasksAccounting'].map((name): Property => ({
        name,
        type: 'b',
        words: ['true'],
      })),
      ...this.#properties(limits),
    ];
    const target = [
      'org.freedesktop.systemd1',
      '/org/freedesktop/systemd1',
      'org.freedesktop.systemd1.Manager',
    ];
    const list = properties.flatMap(({ name, type, words }) => [name, type, ...words]);
    const words = [unit, 'replace', String(properties.length), ...list, '0'];
    await this.#run(
      'busctl',
      ['--system', 'call', '--', ...target, 'StartTransientUnit', 'ssa(sv)a(sa(sv))', ...words],
      { timeoutMs: CALL_MS },
    );
  }

  /** The limits as D-Bus properties, for a new unit. */
  #properties(limits: CgroupLimits): Property[] {
    const properties: Property[] = [];
    const put = (name: string, value: number | undefined): void => {
      if (value !== undefined) properties.push({ name, type: 't', words: [String(value)] });
    };
    if (this.#version === 1) put('CPUShares', limits.cpuShares);
    else if (limits.cpuShares !== undefined) put('CPUWeight', weightOf(limits.cpuShares));
    put(this.#version === 1 ? 'MemoryLimit' : 'MemoryMax', limits.memoryBytes);
    const percent = percentOf(limits);
    if (percent !== undefined) {
      put('CPUQuotaPeriodUSec', limits.cpuPeriodUs);
      put('CPUQuotaPerSecUSec', percent * 10_000);
    }
    put('TasksMax', limits.pids);
    return properties;
  }

  /** The limits as settings of `systemctl set-property`; `reset`: name the unlimited ones too. */
  #settings(limits: CgroupLimits, reset: boolean): string[] {
    const settings: string[] = [];
    const put = (name: string, value: number | string | undefined, none: string): void => {
      if (value !== undefined || reset) settings.push(`${name}=${value ?? none}`);
    };
    if (limits.cpuShares !== undefined) {
      settings.push(
        this.#version === 1 ? `CPUShares=${limits.cpuShares}` : `CPUWeight=${weightOf(limits.cpuShares)}`,
      );
    }
    put(this.#version === 1 ? 'MemoryLimit' : 'MemoryMax', limits.memoryBytes, 'infinity');
    const percent = percentOf(limits);
    if (percent !== undefined) settings.push(`CPUQuotaPeriodSec=${limits.cpuPeriodUs ?? 100_000}us`);
    put('CPUQuota', percent === undefined ? undefined : `${percent}%`, '');
    put('TasksMax', limits.pids, 'infinity');
    return settings;
  }

  async #setProperties(path: string, settings: readonly string[]): Promise<void> {
    if (settings.length === 0) return;
    await this.#systemctl(['set-property', '--runtime', '--', unitOf(path), ...settings]);
  }

  #systemctl(args: readonly string[]): Promise<RunResult> {
    return this.#run('systemctl', ['--no-pager', '--quiet', ...args], { timeoutMs: CALL_MS });
  }
}
