import type { Pod } from '#lib/kube/types.ts';
import { age } from './age.ts';
import { summarizePod } from './pod-status.ts';

export interface TableOptions {
  wide: boolean;
  withNamespace: boolean;
  now: number;
}

const orNone = (text: string | undefined): string => (text === undefined || text === '' ? '<none>' : text);

export function podHead({ wide, withNamespace }: TableOptions): string[] {
  return [
    ...(withNamespace ? ['NAMESPACE'] : []),
    'NAME',
    'READY',
    'STATUS',
    'RESTARTS',
    'AGE',
    ...(wide ? ['IP', 'NODE', 'NOMINATED NODE', 'READINESS GATES'] : []),
  ];
}

function gates(pod: Pod): string {
  const wanted = pod.spec?.readinessGates ?? [];
  if (wanted.length === 0) return '<none>';
  const met = wanted.filter(({ conditionType }) =>
    pod.status?.conditions?.some((each) => each.type === conditionType && each.status === 'True'),
  );
  return `${met.length}/${wanted.length}`;
}

/** A pod's line of `kubectl get pods`, with `-o wide` and `-A`. */
export function podRow(pod: Pod, { wide, withNamespace, now }: TableOptions): string[] {
  const { ready, status, restarts } = summarizePod(pod, now);
  return [
    ...(withNamespace ? [pod.metadata?.namespace ?? ''] : []),
    pod.metadata?.name ?? '',
    ready,
    status,
    restarts,
    age(pod.metadata?.creationTimestamp, now),
    ...(wide
      ? [
          orNone(pod.status?.podIPs?.[0]?.ip ?? pod.status?.podIP),
          orNone(pod.spec?.nodeName),
          orNone(pod.status?.nominatedNodeName),
          gates(pod),
        ]
      : []),
  ];
}
