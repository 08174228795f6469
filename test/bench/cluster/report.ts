import { median, spread } from '../statistics.ts';
import type { Row } from '../table.ts';
import { seconds } from '../pods/measure.ts';
import type { Sizes, Times } from '../pods/measure.ts';
import type { Memory } from '../process-cost.ts';
import type { Taken } from './measure.ts';

export interface ClusterFigures {
  bare: { one: Times; many: Times };
  nodelet: Taken;
  kubelet: Taken | undefined;
}

const START_BUDGET_MS = 2000;

/** Medians side by side; `show` writes one of them. */
function beside(
  nodelet: readonly number[],
  kubelet: readonly number[] | undefined,
  show: (value: number) => string,
): Pick<Row, 'value' | 'kubelet' | 'ofKubelet'> {
  const value = median(nodelet);
  if (kubelet === undefined) return { value: show(value) };
  return { value: show(value), kubelet: show(median(kubelet)), ofKubelet: value / median(kubelet) };
}

export function rowsOf({ bare, nodelet, kubelet }: ClusterFigures, { pods }: Sizes): Row[] {
  const compared = (
    what: string,
    of: (taken: { one: Times; many: Times }) => readonly number[],
    budget?: number,
  ): Row => ({
    what,
    ...beside(of(nodelet), kubelet && of(kubelet), seconds),
    bare: seconds(median(of(bare))),
    ratio: median(of(nodelet)) / median(of(bare)),
    ...(budget === undefined ? {} : { budget }),
  });
  const memory = (what: string, of: (taken: Taken) => readonly Memory[]): Row => {
    const field = (taken: Taken, name: keyof Memory): number => median(of(taken).map((each) => each[name]));
    const show = (taken: Taken): string =>
      `${field(taken, 'rss').toFixed(0)} MB (${field(taken, 'anonymous').toFixed(0)} anonymous)`;
    if (kubelet === undefined) return { what, value: show(nodelet) };
    const ofKubelet = field(nodelet, 'rss') / field(kubelet, 'rss');
    return { what, value: show(nodelet), kubelet: show(kubelet), ofKubelet };
  };
  const idle: Row[] =
    nodelet.idle === undefined
      ? []
      : [
          {
            what: `processor, ${pods} idle pods`,
            ...beside(
              [nodelet.idle.agent],
              kubelet?.idle && [kubelet.idle.agent],
              (value) => `${value.toFixed(2)} %`,
            ),
            bare: `containerd: ${nodelet.idle.containerd.toFixed(2)} %`,
          },
        ];
  const ready = (taken: Taken): readonly number[] => taken.nodeReady;
  return [
    compared('one pod: API write → Ready', ({ one }) => one.start, 1.25),
    compared('one pod: API delete → gone', ({ one }) => one.remove, 1.5),
    compared(`${pods} pods at once: until all are Ready`, ({ many }) => many.start, 1.15),
    compared(`${pods} pods at once: the median pod`, ({ many }) => many.medianPod),
    compared(`${pods} pods deleted: until all are gone`, ({ many }) => many.remove, 1.2),
    {
      what: `processor time, ${pods} pods come`,
      ...beside(nodelet.cpuMany, kubelet?.cpuMany, seconds),
    },
    memory('resident memory, no pod', (taken) => taken.memory.none),
    memory(`resident memory, ${pods} pods`, (taken) => taken.memory.many),
    ...idle,
    {
      what: `process start beside ${pods} pods → node Ready`,
      ...beside(ready(nodelet), kubelet && ready(kubelet), seconds),
      figure: median(ready(nodelet)) / 1000,
      budget: START_BUDGET_MS / 1000,
      unit: 's',
    },
  ];
}

/** Every measurement, to judge the noise by. */
export function details({ bare, nodelet, kubelet }: ClusterFigures): string[] {
  const line = (what: string, values: readonly number[]): string =>
    `${what}: ${values.map((value) => value.toFixed(0)).join(' ')} ms; the middle half within ${(100 * spread(values)).toFixed(0)} %`;
  const lines = (who: string, { one, many }: { one: Times; many: Times }): string[] => [
    line(`one Ready, ${who}`, one.start),
    line(`one gone, ${who}`, one.remove),
    line(`many Ready, ${who}`, many.start),
    line(`many gone, ${who}`, many.remove),
  ];
  const more = (who: string, taken: Taken): string[] => [
    ...lines(who, taken),
    line(`node Ready, ${who}`, taken.nodeReady),
  ];
  return [
    ...lines('bare', bare),
    ...more('nodelet', nodelet),
    ...(kubelet === undefined ? [] : more('kubelet', kubelet)),
  ];
}
