import { join } from 'node:path';
import { RuntimeError, runtimeStatus } from '#cri/errors.ts';
import type { RuntimeService } from '#cri/runtime.ts';
import type { LinuxResources } from '#cri/types.ts';
import { ensureDir, replaceLink } from '#host/files.ts';
import type { Clock } from '#lib/clock.ts';
import { InternalError, describeError } from '#lib/errors.ts';
import type { AgentPod, Container } from '#lib/kube/types.ts';
import type { PriorityGate } from '#lib/priority-gate.ts';
import type { ContainerEnvironment } from '../objects/container-environment.ts';
import { type Paths, containerLogLink, containerLogPath, podLogDir } from '../paths.ts';
import { containerConfig } from '../spec/container-config.ts';
import { ContainerConfigError } from '../spec/config-error.ts';
import { expand } from '../spec/expansion.ts';
import { pidTarget } from './pid-target.ts';
import { onePerFamily } from '../spec/pod-ips.ts';
import { sandboxConfig } from '../spec/sandbox-config.ts';
import { cpuAndMemory } from './allocation.ts';
import { containerSubject } from './decision.ts';
import { containerOf } from './instances.ts';
import type { PodContext } from './pod-context.ts';
import type { HostVolume, HostsFiles, PodEvents, PodImages, SubPaths, TerminationMessages } from './ports.ts';
import type { EndedInstance } from './record.ts';
import type { RecordStore } from './record-store.ts';
import { StepFailure, filedUnder } from './step-failure.ts';
import type { StepOf } from './steps.ts';

export interface StarterParts {
  runtime: RuntimeService;
  images: PodImages;
  records: RecordStore;
  messages: TerminationMessages;
  subPaths: SubPaths;
  hostsFiles: HostsFiles;
  environment: Pick<ContainerEnvironment, 'of'>;
  events: PodEvents;
  gate: PriorityGate;
  clock: Clock;
  paths: Paths;
  hostIps: readonly string[];
  clusterDomain: string;
  seccompDefault: boolean;
  /** Paths of this machine that containers don't see, besides the fixed ones. */
  maskedPaths?: readonly string[];
  resourcesOf(pod: AgentPod, container: Container): LinuxResources;
}

/** Creates and starts one container, with the record written between the two. */
export class ContainerStarter {
  readonly #parts: StarterParts;

  constructor(parts: StarterParts) {
    this.#parts = parts;
  }

  async start(context: PodContext, step: StepOf<'startContainer'>, signal: AbortSignal): Promise<void> {
    const { runtime, events, gate } = this.#parts;
    const { pod } = context;
    const container = containerOf(pod, step.container);
    const subject = containerSubject(container.name);
    const config = await filedUnder(subject, 'CreateContainerConfigError', () =>
      this.#config(context, container, step, signal),
    );
    await gate.run(context.priority, signal, async () => {
      let id: string;
      try {
        id = await runtime.createContainer(step.sandboxId, config.container, config.sandbox);
      } catch (error) {
        if (runtimeStatus(error) === 'DEADLINE_EXCEEDED') {
          // The runtime may still be making it, or hold its name for ever: the next try takes the next number.
          context.logFloor.set(container.name, step.attempt + 1);
        }
        throw new StepFailure(
          subject,
          'CreateContainerError',
          error instanceof RuntimeError ? error.details : error,
        );
      }
      events.event(pod, 'Normal', 'Created', 'Container created', container.name);
      await this.#run(context, container, { ...step, id });
    });
  }

  /** Starts a container that an earlier process, or an earlier try, created. */
  async startCreated(context: PodContext, step: StepOf<'startCreated'>, signal: AbortSignal): Promise<void> {
    const container = containerOf(context.pod, step.container);
    const backoff = context.record.containers[container.name]?.backoff;
    await this.#parts.gate.run(context.priority, signal, () =>
      this.#run(context, container, { ...step, backoff }),
    );
  }

  async #run(
    context: PodContext,
    container: Container,
    start: Pick<StepOf<'startContainer'>, 'attempt' | 'sandboxId' | 'backoff'> & { id: string },
  ): Promise<void> {
    const { runtime, records, events } = this.#parts;
    const { pod, record } = context;
    const { name } = container;
    const subject = containerSubject(name);
    const ended = endedBefore(context, name, start.attempt);
    record.containers[name] = {
      attempt: start.attempt,
      id: start.id,
      sandboxId: start.sandboxId,
      ...(start.backoff === undefined ? {} : { backoff: start.backoff }),
      ...(ended === undefined ? {} : { previous: ended }),
      ...(container.lifecycle?.postStart === undefined ? {} : { postStart: 'pending' }),
    };
    record.actuated = { ...record.actuated, [name]: cpuAndMemory(container) };
    // Written ahead: once the container may have run, a new process must know.
    await filedUnder(subject, 'CreateContainerError', () => records.write(record));
    try {
      await runtime.startContainer(start.id);
    } catch (error) {
      throw new StepFailure(
        subject,
        'RunContainerError',
        error instanceof RuntimeError ? error.details : error,
      );
    }
    events.event(pod, 'Normal', 'Started', 'Container started', name);
    await this.#link(pod, name, start.attempt, start.id);
  }

  async #link(pod: AgentPod, name: string, attempt: number, id: string): Promise<void> {
    const { paths } = this.#parts;
    const log = join(podLogDir(paths, pod.metadata), containerLogPath(name, attempt));
    try {
      await replaceLink(log, containerLogLink(paths, pod.metadata, name, id));
    } catch (error) {
      // Only log collectors miss it; the container runs.
      this.#parts.events.event(
        pod,
        'Warning',
        'FailedLogLink',
        `no link to the log: ${describeError(error)}`,
        name,
      );
    }
  }

  async #config(
    context: PodContext,
    container: Container,
    step: StepOf<'startContainer'>,
    signal: AbortSignal,
  ) {
    const { images, messages, environment, hostsFiles, paths, hostIps } = this.#parts;
    const { clusterDomain, seccompDefault } = this.#parts;
    const { pod, setUp } = context;
    const image = images.state(pod.metadata.uid, container.name, step.attempt);
    const sandbox = context.sight?.sandboxes.find((each) => each.id === step.sandboxId);
    if (image.kind !== 'ready' || setUp === undefined || sandbox === undefined) {
      throw new InternalError(
        `container ${container.name} is started before its image, volumes and sandbox are ready`,
      );
    }
    const podIps = pod.spec.hostNetwork === true ? hostIps : sandbox.ips;
    const { volumes } = setUp;
    const variables = await environment.of({
      pod,
      container,
      podIps: onePerFamily(podIps, hostIps),
      volumes,
    });
    await ensureDir(join(podLogDir(paths, pod.metadata), container.name), 0o755);
    const resources = this.#parts.resourcesOf(pod, container);
    return {
      container: containerConfig({
        pod,
        container,
        attempt: step.attempt,
        image: image.image,
        imageRef: image.ref,
        variables,
        volumes,
        subPaths: await this.#subPaths(pod, container, volumes, variables, signal),
        terminationMessageFile: container.terminationMessagePath
          ? await messages.prepare(pod, container, step.attempt)
          : undefined,
        hostsFile: await hostsFiles.prepare(pod, container, podIps),
        resources,
        pidTarget: pidTarget(context, container),
        paths,
        seccompDefault,
        maskedPaths: this.#parts.maskedPaths ?? [],
      }),
      sandbox: sandboxConfig(pod, {
        attempt: sandbox.metadata.attempt,
        cgroupParent: setUp.cgroupParent,
        clusterDomain,
        dns: undefined,
        paths,
      }),
    };
  }

  async #subPaths(
    pod: AgentPod,
    container: Container,
    volumes: ReadonlyMap<string, HostVolume>,
    variables: ReadonlyMap<string, string>,
    signal: AbortSignal,
  ): Promise<Map<number, string>> {
    const result = new Map<number, string>();
    for (const [index, mount] of (container.volumeMounts ?? []).entries()) {
      const subPath =
        mount.subPathExpr === undefined ? (mount.subPath ?? '') : expand(mount.subPathExpr, variables);
      const volume = volumes.get(mount.name);
      if (subPath === '' || volume === undefined) continue;
      if (/\$\(.*\)/.test(subPath)) {
        throw new ContainerConfigError(
          `volumeMounts[${index}].subPathExpr: ${subPath} names a variable that isn't set`,
        );
      }
      const wish = {
        podUid: pod.metadata.uid,
        volume: mount.name,
        volumePath: volume.hostPath,
        subPath,
        container: container.name,
        index,
        signal,
      };
      result.set(index, await this.#parts.subPaths.prepare(wish));
    }
    return result;
  }
}

/** How the instance before this attempt ended, for the record. */
function endedBefore(context: PodContext, name: string, attempt: number): EndedInstance | undefined {
  const view = context.sight?.views.find(({ spec }) => spec.name === name);
  const ended = [view?.current, view?.previous].find(
    (instance) => instance?.state === 'exited' && instance.attempt < attempt,
  );
  return ended === undefined ? undefined : endedInstance(ended);
}

/** Just what a record keeps. */
export function endedInstance(from: EndedInstance): EndedInstance {
  const {
    id,
    attempt,
    sandboxId,
    startedAt,
    finishedAt,
    exitCode,
    reason,
    message,
    image,
    imageRef,
    imageId,
  } = from;
  return {
    id,
    attempt,
    sandboxId,
    startedAt,
    finishedAt,
    exitCode,
    reason,
    message,
    image,
    imageRef,
    imageId,
  };
}
