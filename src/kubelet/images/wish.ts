import type { Timer } from '#lib/clock.ts';
import { parseImageName } from '#lib/kube/image-name.ts';
import type { AgentPod } from '#lib/kube/types.ts';
import type { ImageFailure, ImageRequest, ImageState } from '../pod/ports.ts';

export type PullPolicy = 'Always' | 'IfNotPresent' | 'Never';

export type ReadyState = Extract<ImageState, { kind: 'ready' }>;

/** Why a wish can't be fulfilled now. */
export interface Refusal {
  kind: 'failed';
  reason: ImageFailure;
  message: string;
}

export type Outcome = ReadyState | Refusal;

/** One container's want of its image, from the request until it is forgotten or replaced. */
export interface Wish {
  readonly pod: AgentPod;
  readonly container: string;
  /** As the pod's specification has it. */
  readonly image: string;
  readonly policy: PullPolicy;
  readonly attempt: number;
  /** Aborts once nobody wants it any more. */
  readonly controller: AbortController;
  /** Wishes are numbered as they come: the oldest is served first. */
  readonly number: number;
  state: ImageState;
  /** Monotonic time at which the image was found. */
  readyAt: number;
  /** Whether somebody is finding out right now. */
  busy: boolean;
  timer: Timer | undefined;
  /** Monotonic time of the last events about a failure that stands. */
  reportedAt: number;
}

/** The wish that a request stands for; the image's tag decides where the pod has no policy, as the API server does. */
export function makeWish({ pod, container, attempt }: ImageRequest, number: number, now: number): Wish {
  const image = container.image ?? '';
  return {
    pod,
    container: container.name,
    image,
    policy: toPolicy(container.imagePullPolicy) ?? defaultPolicy(image),
    attempt,
    controller: new AbortController(),
    number,
    state: { kind: 'pulling', since: now },
    readyAt: -Infinity,
    busy: false,
    timer: undefined,
    reportedAt: -Infinity,
  };
}

function toPolicy(text: string | undefined): PullPolicy | undefined {
  return text === 'Always' || text === 'IfNotPresent' || text === 'Never' ? text : undefined;
}

function defaultPolicy(image: string): PullPolicy {
  try {
    return parseImageName(image).tag === 'latest' ? 'Always' : 'IfNotPresent';
  } catch {
    return 'IfNotPresent';
  }
}
