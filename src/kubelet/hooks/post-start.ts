/** The step that ends the start of a container with a postStart hook. */
import type { Logger } from '#lib/logger.ts';
import { containerSubject } from '../pod/decision.ts';
import type { ContainerKiller } from '../pod/kill-containers.ts';
import { containerOf } from '../pod/instances.ts';
import type { PodContext } from '../pod/pod-context.ts';
import type { PodEvents } from '../pod/ports.ts';
import { StepFailure } from '../pod/step-failure.ts';
import type { StepOf } from '../pod/steps.ts';
import { killOne } from '../pod/stopping.ts';
import type { HookRunner } from './run-hook.ts';

export interface PostStartParts {
  runner: HookRunner;
  killer: ContainerKiller;
  events: PodEvents;
  log: Logger;
}

export class PostStart {
  readonly #parts: PostStartParts;

  constructor(parts: PostStartParts) {
    this.#parts = parts;
  }

  /** Kills the container where its hook fails, and rejects with a StepFailure. */
  async run(context: PodContext, step: StepOf<'postStart'>, signal: AbortSignal): Promise<void> {
    const { runner, killer, events, log } = this.#parts;
    const { pod, record } = context;
    const container = containerOf(pod, step.container);
    const hook = container.lifecycle?.postStart;
    const podIp = context.status?.podIP ?? '';
    try {
      if (hook !== undefined) await runner.run({ pod, container, id: step.id, podIp }, hook, signal);
    } catch (error) {
      signal.throwIfAborted();
      events.event(pod, 'Warning', 'FailedPostStartHook', 'PostStartHook failed', container.name);
      log.debug({ uid: pod.metadata.uid, container: container.name, err: error }, 'PostStartHook failed');
      await killer.kill(context, killOne(pod, container.name, step.id, 'FailedPostStartHook'), signal);
      throw new StepFailure(containerSubject(container.name), POST_START_FAILED, error);
    }
    // The next look writes the record, before anything else is done.
    const entry = record.containers[container.name];
    if (entry?.id === step.id) delete entry.postStart;
  }
}

/** Upstream's reason of a container whose hook failed. */
export const POST_START_FAILED = 'PostStartHookError';
