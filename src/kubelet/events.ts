import { createHash } from 'node:crypto';
import type { Clock } from '#lib/clock.ts';
import type { AgentPod, Event } from '#lib/kube/types.ts';
import type { Logger } from '#lib/logger.ts';
import type { NodeEvents } from './node/node-events.ts';
import type { PodEvents } from './pod/ports.ts';
import { apiTime } from './status/time.ts';

/** How many different events are kept; the oldest go first. */
const CAPACITY = 2000;
/** Messages are cut to what the API server takes. */
const MAX_MESSAGE = 1024;

/**
 * The node's recent events, the same one counted instead of repeated. Without an API server this is where they live;
 * they also go to the log.
 */
export class EventLog implements PodEvents {
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #nodeName: string;
  readonly #forward: (event: Event) => void;
  /** In order of their last occurrence. */
  readonly #events = new Map<string, Event>();

  /** `forward` gets each event as it happens, with a count of 1; it must neither throw nor block. */
  constructor(
    clock: Clock,
    log: Logger,
    nodeName: string,
    forward: (event: Event) => void = () => undefined,
  ) {
    this.#forward = forward;
    this.#clock = clock;
    this.#log = log;
    this.#nodeName = nodeName;
  }

  event(
    pod: AgentPod,
    type: 'Normal' | 'Warning',
    reason: string,
    message: string,
    container?: string,
  ): void {
    const { namespace, name, uid } = pod.metadata;
    const fieldPath = container === undefined ? undefined : containerField(pod, container);
    const about = {
      apiVersion: 'v1',
      kind: 'Pod',
      namespace,
      name,
      uid,
      ...(fieldPath === undefined ? {} : { fieldPath }),
    };
    const text = this.#note(about, namespace, type, reason, message);
    const fields = {
      pod: `${namespace}/${name}`,
      uid,
      reason,
      ...(container === undefined ? {} : { container }),
    };
    if (type === 'Warning') this.#log.warn(fields, text);
    else this.#log.info(fields, text);
  }

  /** Events about the node itself; kept in `default`, as upstream. */
  readonly node: NodeEvents = {
    event: (type, reason, message) => {
      // Upstream's reference to a node that may not be registered yet: its name stands in for the UID.
      const about = { apiVersion: 'v1', kind: 'Node', name: this.#nodeName, uid: this.#nodeName };
      const text = this.#note(about, 'default', type, reason, message);
      const fields = { node: this.#nodeName, reason };
      if (type === 'Warning') this.#log.warn(fields, text);
      else this.#log.info(fields, text);
    },
  };

  /** Returns the message, cut to what an event holds. */
  #note(
    about: Event['involvedObject'],
    namespace: string,
    type: string,
    reason: string,
    message: string,
  ): string {
    const text = message.length > MAX_MESSAGE ? `${message.slice(0, MAX_MESSAGE - 3)}...` : message;
    const key = createHash('sha1')
      .update([about.uid, about.fieldPath, type, reason, text].join('\0'))
      .digest('hex')
      .slice(0, 16);
    const now = apiTime(this.#clock.now());
    const event: Event = {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { name: `${about.name}.${key}`, namespace, creationTimestamp: now },
      involvedObject: about,
      type,
      reason,
      message: text,
      count: 1,
      firstTimestamp: now,
      lastTimestamp: now,
      source: { component: 'kubelet', host: this.#nodeName },
      reportingComponent: 'kubelet',
      reportingInstance: this.#nodeName,
    };
    this.#forward(event);
    const before = this.#events.get(key);
    this.#events.delete(key);
    this.#events.set(key, {
      ...event,
      metadata: before?.metadata ?? event.metadata,
      count: (before?.count ?? 0) + 1,
      firstTimestamp: before?.firstTimestamp ?? now,
    });
    const oldest = this.#events.size > CAPACITY ? this.#events.keys().next().value : undefined;
    if (oldest !== undefined) this.#events.delete(oldest);
    return text;
  }

  /** Oldest first; all, or those about one pod. */
  list(pod?: { namespace: string; name: string }): Event[] {
    const events = [...this.#events.values()];
    if (pod === undefined) return events;
    return events.filter(
      ({ involvedObject }) => involvedObject.namespace === pod.namespace && involvedObject.name === pod.name,
    );
  }
}

function containerField(pod: AgentPod, container: string): string {
  const lists = ['initContainers', 'ephemeralContainers'] as const;
  const list = lists.find((each) => pod.spec[each]?.some(({ name }) => name === container) === true);
  return `spec.${list ?? 'containers'}{${container}}`;
}
