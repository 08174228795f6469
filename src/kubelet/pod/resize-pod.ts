/** Changes the resources of what runs: the pod's own group and its containers, in an order that never starves them. */
import type { RuntimeService } from '#cri/runtime.ts';
import type { LinuxResources } from '#cri/types.ts';
import { NodeletError } from '#lib/errors.ts';
import type { AgentPod, Container } from '#lib/kube/types.ts';
import { type Resizable, amountsOf, cpuAndMemory, withAmounts, withResources } from './allocation.ts';
import { resizeNeedsRestart, resizesOf } from './decide-resize.ts';
import type { PodContext } from './pod-context.ts';
import type { PodCgroups } from './ports.ts';

export class ResizeError extends NodeletError {
  readonly code = 'RESIZE';
}

export interface ResizerParts {
  runtime: Pick<RuntimeService, 'updateContainerResources' | 'listContainerStats'>;
  cgroups: Pick<PodCgroups, 'ensure' | 'resize'>;
  resourcesOf(pod: AgentPod, container: Container): LinuxResources;
}

interface Change {
  id: string;
  container: Container;
  resources: readonly Resizable[];
}

/** Upstream's order: memory before CPU; of each what grows from the pod inwards, what shrinks from within outwards. */
export class PodResizer {
  readonly #parts: ResizerParts;

  constructor(parts: ResizerParts) {
    this.#parts = parts;
  }

  /** Rejects where the kernel or the runtime refuses; what was done until then is in the record. */
  async resize(context: PodContext, signal: AbortSignal): Promise<void> {
    const { pod, record, sight } = context;
    const { cgroups } = this.#parts;
    const before = withResources(pod, (container) => {
      const actuated = record.actuated?.[container.name];
      return actuated && withAmounts(container.resources, actuated, ['memory', 'cpu']);
    });
    const changes = (sight?.views ?? []).flatMap((view): Change[] => {
      const resources = resizeNeedsRestart(view, record) ? [] : resizesOf(view, record);
      const id = view.current?.id;
      return id === undefined || resources.length === 0 ? [] : [{ id, container: view.spec, resources }];
    });
    await this.#checkUsage(context, changes, signal);
    for (const resource of ['memory', 'cpu'] as const) {
      await cgroups.resize(pod, before, resource, 'grow');
      const own = changes.filter(({ resources }) => resources.includes(resource));
      for (const change of inOrder(own, record, resource))
        await this.#update(context, change, resource, signal);
      await cgroups.resize(pod, before, resource, 'shrink');
    }
    // Whatever an earlier try, or another agent, left otherwise.
    await cgroups.ensure(pod);
    if (record.resize?.inProgress !== undefined) record.resize.inProgress.applied = true;
  }

  async #update(
    { pod, record }: PodContext,
    { id, container }: Change,
    resource: Resizable,
    signal: AbortSignal,
  ): Promise<void> {
    const actuated = withAmounts(record.actuated?.[container.name], container.resources, [resource]);
    const resources = withAmounts(container.resources, actuated, ['memory', 'cpu']);
    const told = this.#parts.resourcesOf(pod, { ...container, resources });
    await this.#parts.runtime.updateContainerResources(id, told, { signal });
    record.actuated = { ...record.actuated, [container.name]: cpuAndMemory({ name: '', resources }) };
  }

  /** The kernel would kill what uses more than a new limit: then the limit has to wait. */
  async #checkUsage(
    { record, sight }: PodContext,
    changes: readonly Change[],
    signal: AbortSignal,
  ): Promise<void> {
    const lower = changes.flatMap(({ id, container }) => {
      const { memoryLimit } = amountsOf(container);
      const now = amountsOf({ name: '', resources: record.actuated?.[container.name] ?? {} }).memoryLimit;
      return memoryLimit > 0 && (now === 0 || memoryLimit < now)
        ? [{ id, name: container.name, memoryLimit }]
        : [];
    });
    if (lower.length === 0) return;
    const podSandboxId = sight?.containers.find(({ status }) => status.id === lower[0]?.id)?.sandboxId;
    const stats = await this.#parts.runtime.listContainerStats(
      podSandboxId === undefined ? {} : { podSandboxId },
      { signal },
    );
    const troubles = lower.flatMap(({ id, name, memoryLimit }) => {
      const used = stats.find((each) => each.id === id)?.memory?.usageBytes;
      if (used === undefined) return [`missing container "${name}" memory usage`];
      if (used < memoryLimit) return [];
      return [
        `attempting to set container "${name}" memory limit (${memoryLimit}) below current usage (${used})`,
      ];
    });
    if (troubles.length === 0) return;
    const text = troubles.length === 1 ? troubles.join('') : `[${troubles.join(', ')}]`;
    throw new ResizeError(`cannot decrease memory limits: ${text}`, { retryable: true });
  }
}

/** What gets less goes first. */
function inOrder(changes: readonly Change[], record: PodContext['record'], resource: Resizable): Change[] {
  const growth = ({ container }: Change): number => {
    const now = amountsOf({ name: '', resources: record.actuated?.[container.name] ?? {} });
    const next = amountsOf(container);
    const limit = `${resource}Limit` as const;
    return next[limit] - now[limit] || next[`${resource}Request`] - now[`${resource}Request`];
  };
  return changes.toSorted((a, b) => Math.sign(growth(a)) - Math.sign(growth(b)));
}
