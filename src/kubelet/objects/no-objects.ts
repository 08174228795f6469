import { NodeletError } from '#lib/errors.ts';
import type { Referenced } from '#lib/kube/referenced.ts';
import type { PodObjects } from './ports.ts';

class NoApiError extends NodeletError {
  readonly code = 'NO_API';
}

const nothing = {
  state: 'unknown',
  trouble: new NoApiError('this agent has no API server to read it from'),
} satisfies Referenced<never>;

/** For an agent without an API server and without objects of its own. */
export const noObjects: PodObjects = {
  configMap: () => nothing,
  secret: () => nothing,
  register: () => undefined,
  release: () => undefined,
  settled: () => Promise.resolve(),
  onChange: () => undefined,
};
