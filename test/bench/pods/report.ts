import type { Memory } from '../process-cost.ts';
import { median, spread } from '../statistics.ts';
import type { Row } from '../table.ts';
import { type Figures, type Sizes, seconds } from './measure.ts';

/** Both roles together with 50 pods: 0.7 of what kubelet and kube-proxy take. */
const MEMORY_BUDGET_MB = 115;
const START_BUDGET_MS = 2000;

function compared(what: string, agent: readonly number[], bare: readonly number[], budget?: number): Row {
  return {
    what,
    value: seconds(median(agent)),
    bare: seconds(median(bare)),
    ratio: median(agent) / median(bare),
    ...(budget === undefined ? {} : { budget }),
  };
}

const milliseconds = (what: string, values: readonly number[]): Row => ({
  what,
  value: `${median(values).toFixed(0)} ms`,
});

function memory(what: string, values: readonly Memory[]): Row {
  const rss = median(values.map((each) => each.rss));
  const anonymous = median(values.map((each) => each.anonymous));
  return { what, value: `${rss.toFixed(0)} MB (${anonymous.toFixed(0)} anonymous)`, figure: rss };
}

export function rowsOf(figures: Figures, { pods }: Sizes): Row[] {
  const { one, many } = figures;
  return [
    compared('one pod: file written → container runs', one.agent.start, one.bare.start, 1.25),
    compared('one pod: file removed → gone', one.agent.remove, one.bare.remove, 1.5),
    compared(`${pods} pods at once: until all run`, many.agent.start, many.bare.start, 1.15),
    compared(`${pods} pods at once: the median pod`, many.agent.medianPod, many.bare.medianPod),
    compared(`${pods} pods removed: until all are gone`, many.agent.remove, many.bare.remove, 1.2),
    memory('resident memory, no pod', figures.memory.none),
    memory('resident memory, 1 pod', figures.memory.one),
    memory(`resident memory, ${pods} pods just started`, figures.memory.many),
    {
      ...memory(`resident memory, ${pods} idle pods`, figures.memory.idle),
      budget: MEMORY_BUDGET_MB,
      unit: 'MB',
    },
    ...(figures.idle === undefined
      ? []
      : [
          {
            what: `processor, ${pods} idle pods`,
            value: `${figures.idle.agent.toFixed(2)} % of one`,
            bare: `containerd: ${figures.idle.containerd.toFixed(2)} %`,
          },
        ]),
    {
      what: `start beside ${pods} running pods → all Ready`,
      value: seconds(median(figures.takeOver)),
      figure: median(figures.takeOver) / 1000,
      budget: START_BUDGET_MS / 1000,
      unit: 's',
    },
    milliseconds('nodelet version', figures.version),
    milliseconds(`nodelet get pods, ${pods} pods`, figures.getPods),
  ];
}

/** Every measurement, to judge the noise by. */
export function details({ one, many, takeOver }: Figures): string[] {
  const line = (what: string, values: readonly number[]): string =>
    `${what}: ${values.map((value) => value.toFixed(0)).join(' ')} ms; the middle half within ${(100 * spread(values)).toFixed(0)} %`;
  return [
    line('one started, bare', one.bare.start),
    line('one started, nodelet', one.agent.start),
    line('one removed, bare', one.bare.remove),
    line('one removed, nodelet', one.agent.remove),
    line('many started, bare', many.bare.start),
    line('many started, nodelet', many.agent.start),
    line('many removed, bare', many.bare.remove),
    line('many removed, nodelet', many.agent.remove),
    line('taken over', takeOver),
  ];
}
