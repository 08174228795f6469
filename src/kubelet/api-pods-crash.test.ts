/** The agent is killed at every step of a pod's life: what follows must be as if it had not been. */
import { afterEach, expect, test } from 'vitest';
import type { Pod } from '#lib/kube/types.ts';
import { ApiBed } from './testing/api-bed.ts';

const never = (): Promise<never> => new Promise(() => undefined);
const CHANGES = /^(Run|Create|Start|Stop|Remove)/;

let bed: ApiBed;
afterEach(() => bed.dispose());

/** Whether the call that the agent dies in is done, and only its answer is lost. */
type Death = 'before' | 'after';

/** Kills the agent at the step with this number; says later whether there was one. */
function killAt(number: number, death: Death): { happened(): boolean; passed: string[]; wrongs: string[] } {
  const passed: string[] = [];
  const wrongs: string[] = [];
  let happened = false;
  const isIt = (step: string): boolean => {
    passed.push(step);
    if (happened || passed.length - 1 !== number) return false;
    happened = true;
    return true;
  };
  const { script } = bed.pods.runtime;
  const play = script.play.bind(script);
  script.play = async (call, ...rest) => {
    if (!CHANGES.test(call.verb) || !isIt(call.verb)) return play(call, ...rest);
    bed.kill();
    if (death === 'after') await play(call, ...rest);
    return never();
  };
  bed.onStep = (step) => {
    wrongs.push(...violations(step));
    if (!isIt(step)) return undefined;
    bed.kill();
    // Of a call on the API server the answer is lost by the kill itself; a step on the node must not go on.
    return death === 'after' && !step.startsWith('remove') ? undefined : never();
  };
  return { happened: () => happened, passed, wrongs };
}

const isTerminal = (pod: Pod | undefined): boolean =>
  pod?.status?.phase === 'Failed' || pod?.status?.phase === 'Succeeded';

/** What does not hold when the agent writes though it must. */
function violations(step: string): string[] {
  const { mounted, cgroups } = bed.pods;
  const found: string[] = [];
  if (step.startsWith('patch') && isTerminal(bed.api.calls.at(-1)?.body as Pod)) {
    if (bed.pods.running().length > 0) found.push('a terminal phase is written while something runs');
  }
  if (step.startsWith('delete')) {
    if (bed.pods.running().length > 0) found.push('the object goes while something runs');
    if (!isTerminal(bed.api.pod('web'))) found.push('the object goes without a terminal phase');
    if (mounted.size + cgroups.size > 0) found.push('the object goes before volumes and cgroup');
  }
  return found;
}

async function restartIfDead(crash: ReturnType<typeof killAt>, dead: { is: boolean }): Promise<void> {
  if (!crash.happened() || dead.is) return;
  dead.is = true;
  await bed.start();
}

/** One life of a pod with one death of the agent in it; returns the steps that there were. */
async function life(number: number, death: Death): Promise<{ happened: boolean; steps: string[] }> {
  bed = new ApiBed();
  const crash = killAt(number, death);
  const dead = { is: false };
  await bed.start();
  bed.create('web', { restartPolicy: 'Never', terminationGracePeriodSeconds: 3, containers: [{}] });
  const until = async (condition: () => boolean): Promise<void> => {
    for (let i = 0; i < 300 && !condition(); i++) {
      await bed.pods.run(100);
      await restartIfDead(crash, dead);
    }
    expect(condition(), `death ${death} step ${number}: ${crash.passed.join(', ')}`).toBe(true);
  };
  await until(() => bed.phase('web') === 'Running');
  const { machine } = bed.pods.runtime;
  expect(machine.containers.size).toBe(1);
  bed.remove('web');
  await until(() => bed.api.pod('web') === undefined);
  await until(() => machine.sandboxes.size === 0 && bed.pods.workers.snapshots().length === 0);
  expect([bed.pods.mounted.size, bed.pods.cgroups.size]).toEqual([0, 0]);
  expect(crash.wrongs).toEqual([]);
  bed.dispose();
  return { happened: crash.happened(), steps: crash.passed };
}

test.each<Death>(['before', 'after'])(
  'killed %s each step, a pod still runs once, ends, and leaves nothing',
  { timeout: 120_000 },
  async (death) => {
    let last = { happened: true, steps: [] as string[] };
    let number = 0;
    while (last.happened) last = await life(number++, death);
    // Without a death: all that there is to die in.
    expect(last.steps.length).toBeGreaterThan(12);
    expect(number).toBe(last.steps.length + 1);
  },
);
