import type { Node } from '#lib/kube/types.ts';
import { conditionEvents } from './conditions.ts';
import type { NodeCondition } from './conditions.ts';
import { statusMessage } from './node-events.ts';
import type { NodeEvents } from './node-events.ts';

/** Turns changes of the Node object into events, each once. */
export class NodeAnnouncer {
  readonly #nodeName: string;
  readonly #events: NodeEvents;
  #unschedulable = false;
  #rebooted = false;

  constructor(nodeName: string, events: NodeEvents) {
    this.#nodeName = nodeName;
    this.#events = events;
  }

  conditions(before: readonly NodeCondition[], after: readonly NodeCondition[]): void {
    for (const reason of conditionEvents(before, after)) this.#status(reason);
  }

  schedulable(unschedulable: boolean): void {
    if (this.#unschedulable === unschedulable) return;
    this.#unschedulable = unschedulable;
    this.#status(unschedulable ? 'NodeNotSchedulable' : 'NodeSchedulable');
  }

  rebooted(before: Node, after: Node): void {
    const [old, now] = [before.status?.nodeInfo?.bootID ?? '', after.status?.nodeInfo?.bootID ?? ''];
    if (this.#rebooted || old === '' || old === now) return;
    this.#rebooted = true;
    this.#events.event('Warning', 'Rebooted', `Node ${this.#nodeName} has been rebooted, boot id: ${now}`);
  }

  #status(reason: string): void {
    this.#events.event('Normal', reason, statusMessage(this.#nodeName, reason));
  }
}
