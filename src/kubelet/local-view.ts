import type { RuntimeService } from '#cri/runtime.ts';
import type { Clock } from '#lib/clock.ts';
import { NotFoundError } from '#lib/errors.ts';
import type { AgentPod, Event, Node, Pod } from '#lib/kube/types.ts';
import type { Wait } from '#lib/kube/wait.ts';
import { BadRequestError, ConflictError, NotSupportedError } from '#server/errors.ts';
import type {
  AppliedView,
  ExecOptions,
  LogOptions,
  ManifestProblem,
  NodeView,
  ObjectView,
  PodView,
  UsageView,
} from '#server/view.ts';
import type { AppliedManifests } from './applied.ts';
import type { EventLog } from './events.ts';
import type { ServedObject } from './objects/local-object.ts';
import { type PodLogsParts, containerOf, podLogs } from './pod-logs.ts';
import type { PodSnapshot, PodWorkers } from './pod/pod-workers.ts';
import type { SourceMux } from './source-mux.ts';
import { UsageMeter } from './usage.ts';

export interface LocalViewParts extends PodLogsParts {
  workers: PodWorkers;
  events: EventLog;
  sources: SourceMux;
  runtime: RuntimeService;
  /** The node as it was last looked at. */
  node: () => Node;
  /** Undefined where nothing can be applied: in the kubelet role. */
  applied: AppliedManifests | undefined;
  /** Whether ConfigMaps and Secrets come from manifests. */
  hasObjects: boolean;
  /** What else holds up a pod, beyond its worker: the API server. */
  otherWaits?(pod: AgentPod): Wait[];
  clock: Clock;
}

/** The agent's pods and node as the local socket shows them. */
export class LocalView implements NodeView {
  readonly #parts: LocalViewParts;
  readonly #meter: UsageMeter;

  constructor(parts: LocalViewParts) {
    this.#parts = parts;
    this.#meter = new UsageMeter(parts.runtime, parts.clock);
  }

  node(): Node {
    return this.#parts.node();
  }

  pods(): PodView[] {
    return this.#parts.workers.snapshots().map((snapshot) => this.#view(snapshot));
  }

  pod(namespace: string, name: string): PodView {
    return this.#view(this.#find(namespace, name));
  }

  events(pod?: { namespace: string; name: string }): Event[] {
    return this.#parts.events.list(pod);
  }

  problems(): ManifestProblem[] {
    return this.#parts.sources.problems();
  }

  objects(kind: ObjectView['kind']): ObjectView[] {
    if (!this.#parts.hasObjects) {
      throw new NotSupportedError(
        'this agent has no ConfigMaps and Secrets of its own: they are served from manifests in standalone mode',
      );
    }
    return this.#parts.sources
      .objects()
      .filter((each) => each.kind === kind)
      .map(objectView)
      .sort((a, b) => (sortKey(a) < sortKey(b) ? -1 : 1));
  }

  usage(signal: AbortSignal): Promise<UsageView[]> {
    return this.#meter.usage(signal);
  }

  logs(namespace: string, name: string, options: LogOptions, signal: AbortSignal): AsyncIterable<Buffer> {
    return podLogs(this.#find(namespace, name).context, options, this.#parts, signal);
  }

  async exec(namespace: string, name: string, options: ExecOptions, signal: AbortSignal): Promise<string> {
    const { spec, current } = containerOf(this.#find(namespace, name).context, options.container);
    if (current?.state !== 'running') {
      throw new BadRequestError(`container "${spec.name}" in pod "${name}" is not running`);
    }
    const { command, stdin, stdout, stderr, tty } = options;
    return this.#parts.runtime.exec(
      { containerId: current.id, cmd: command, stdin, stdout, stderr, tty },
      { signal },
    );
  }

  async apply(manifests: string): Promise<AppliedView[]> {
    if (this.#parts.applied === undefined) {
      throw new NotSupportedError(
        'this agent takes its pods from its configured sources: apply works in standalone mode',
      );
    }
    return this.#parts.applied.apply(manifests);
  }

  async deleteObject(kind: ObjectView['kind'], namespace: string, name: string): Promise<void> {
    const held = this.objects(kind).find(
      ({ metadata }) => metadata.namespace === namespace && metadata.name === name,
    );
    if (await this.#parts.applied?.removeObject(kind, namespace, name)) return;
    const what = `${kind.toLowerCase()} ${namespace}/${name}`;
    if (held === undefined) throw new NotFoundError(`${what} not found`);
    throw new ConflictError(`${what} was not applied but comes from ${held.origin}: remove it there`);
  }

  async deletePod(namespace: string, name: string, gracePeriodSeconds: number | undefined): Promise<void> {
    const { applied, workers } = this.#parts;
    if (applied === undefined) {
      throw new NotSupportedError(
        'this agent takes its pods from its configured sources: delete works in standalone mode',
      );
    }
    const { context } = this.#find(namespace, name);
    const { uid } = context.pod.metadata;
    if (!(await applied.remove(namespace, name)) && context.ending === undefined) {
      throw new ConflictError(
        `pod ${namespace}/${name} was not applied but comes from ${this.#parts.sources.originOf(uid)}: remove it there`,
      );
    }
    const grace = gracePeriodSeconds ?? context.pod.spec.terminationGracePeriodSeconds ?? 30;
    workers.end(uid, { gracePeriodSeconds: grace, forget: true });
  }

  #find(namespace: string, name: string): PodSnapshot {
    const named = this.#parts.workers
      .snapshots()
      .filter(
        ({ context }) => context.pod.metadata.namespace === namespace && context.pod.metadata.name === name,
      );
    // Two of one name: the older is ending, and people mean what runs now.
    const found = named[0];
    if (found === undefined) throw new NotFoundError(`pods "${name}" not found in namespace "${namespace}"`);
    return found;
  }

  #view({ context, waits }: PodSnapshot): PodView {
    const { pod, status, ending, record } = context;
    const metadata: Pod['metadata'] = { ...pod.metadata };
    metadata.creationTimestamp ??= record.startTime;
    if (ending !== undefined && metadata.deletionTimestamp === undefined) {
      metadata.deletionTimestamp = new Date(
        Math.floor(((record.terminating?.since ?? 0) + ending.gracePeriodSeconds * 1000) / 1000) * 1000,
      )
        .toISOString()
        .replace('.000', '');
      metadata.deletionGracePeriodSeconds = ending.gracePeriodSeconds;
    }
    return {
      pod: {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata,
        spec: pod.spec,
        status: status ?? { phase: 'Pending' },
      },
      waits: [...waits, ...(this.#parts.otherWaits?.(pod) ?? [])],
      origin: this.#parts.sources.originOf(pod.metadata.uid),
      terminating: ending !== undefined,
    };
  }
}

function objectView({ kind, object, origin }: ServedObject): ObjectView {
  const { namespace = 'default', name = '' } = object.metadata ?? {};
  const binary = 'binaryData' in object ? object.binaryData : undefined;
  return {
    kind,
    metadata: { namespace, name },
    ...('type' in object && object.type !== undefined ? { type: object.type } : {}),
    keys: Object.keys({ ...object.data, ...binary }).sort(),
    origin,
  };
}

const sortKey = ({ metadata }: ObjectView): string => `${metadata.namespace}/${metadata.name}`;
