import { join } from 'node:path';
import type { Clock } from '#lib/clock.ts';
import { NotFoundError } from '#lib/errors.ts';
import type { Logger } from '#lib/logger.ts';
import { BadRequestError } from '#server/errors.ts';
import type { LogOptions } from '#server/view.ts';
import { readLogs } from './logs/read-logs.ts';
import type { ReadLogsOptions } from './logs/read-logs.ts';
import { type Paths, containerLogPath, podLogDir } from './paths.ts';
import type { ContainerView, Instance } from './pod/instances.ts';
import type { PodContext } from './pod/pod-context.ts';

export interface PodLogsParts {
  paths: Paths;
  clock: Clock;
  logger: Logger;
}

/** The log of one of the pod's containers, of the instance and in the form that `options` ask for. */
export function podLogs(
  context: PodContext,
  options: LogOptions,
  parts: PodLogsParts,
  signal: AbortSignal,
): AsyncIterable<Buffer> {
  const view = containerOf(context, options.container);
  const instance = instanceOf(context, view, options.previous);
  const path = join(
    podLogDir(parts.paths, context.pod.metadata),
    containerLogPath(view.spec.name, instance.attempt),
  );
  const isRunning = (): Promise<boolean> => {
    const now = context.sight?.views.find(({ spec }) => spec.name === view.spec.name)?.current;
    return Promise.resolve(!context.isForgotten && now?.id === instance.id && now.state === 'running');
  };
  return readLogs(path, readOptions(options, parts.clock), {
    root: parts.paths.podLogs,
    clock: parts.clock,
    logger: parts.logger,
    signal,
    isRunning,
  });
}

/** The container by name, or the pod's only (or first) one. */
export function containerOf(context: PodContext, name: string | undefined): ContainerView {
  const views = context.sight?.views ?? [];
  const view =
    name === undefined
      ? views.find(({ kind }) => kind === 'app')
      : views.find(({ spec }) => spec.name === name);
  if (view !== undefined) return view;
  const pod = context.pod.metadata.name;
  if (name === undefined) throw new BadRequestError(`pod "${pod}" has not been looked at yet; try again`);
  throw new NotFoundError(
    `container "${name}" not found in pod "${pod}"; it has ${views.map(({ spec }) => spec.name).join(', ')}`,
  );
}

/** Upstream's rules and words for which instance has the log. */
function instanceOf(context: PodContext, view: ContainerView, previous: boolean): Instance {
  const container = view.spec.name;
  const pod = context.pod.metadata.name;
  const { current } = view;
  const waiting = [
    ...(context.status?.initContainerStatuses ?? []),
    ...(context.status?.containerStatuses ?? []),
    ...(context.status?.ephemeralContainerStatuses ?? []),
  ].find((status) => status.name === container)?.state?.waiting;
  if (previous) {
    // While a container waits to be started again, its newest instance is the previous one.
    const last = waiting !== undefined && current?.state === 'exited' ? current : view.previous;
    if (last === undefined) {
      throw new BadRequestError(`previous terminated container "${container}" in pod "${pod}" not found`);
    }
    return last;
  }
  if (current === undefined || current.state === 'created') {
    throw new BadRequestError(
      `container "${container}" in pod "${pod}" is waiting to start: ${waiting?.reason ?? 'ContainerCreating'}`,
    );
  }
  return current;
}

function readOptions(options: LogOptions, clock: Clock): ReadLogsOptions {
  const since =
    options.sinceSeconds === undefined
      ? options.sinceTime === undefined
        ? undefined
        : Date.parse(options.sinceTime)
      : clock.now() - options.sinceSeconds * 1000;
  return {
    follow: options.follow,
    timestamps: options.timestamps,
    ...(options.tailLines === undefined ? {} : { tailLines: options.tailLines }),
    ...(options.limitBytes === undefined ? {} : { limitBytes: options.limitBytes }),
    ...(since === undefined ? {} : { sinceTime: since }),
  };
}
