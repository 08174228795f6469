import type { Clock } from '#lib/clock.ts';
import type { AgentPod } from '#lib/kube/types.ts';
import type { PodObjects, RuntimeClassLister, ServiceLister } from './ports.ts';
import { isStaticPod } from './static-pods.ts';
import { SETTLE_MS, withinMs } from './within.ts';

/** What else is held for a pod while it lives here. */
export interface PerPod {
  forget(podUid: string): void;
}

/** What is to be made with what is named. */
export type Purpose = 'volumes' | 'sandbox' | 'image' | 'container';

export interface PodReferencesParts {
  objects: PodObjects;
  /** Undefined where nobody knows of any. */
  services: ServiceLister | undefined;
  runtimeClasses: RuntimeClassLister | undefined;
  perPod?: readonly PerPod[];
  clock: Clock;
}

/**
 * What the pods here take from elsewhere, and when it has changed: counted, so that whoever failed for want of
 * something can tell later whether a new try is worth while.
 */
export class PodReferences {
  readonly #parts: PodReferencesParts;
  readonly #own = new Map<string, number>();
  #common = 0;
  readonly #handlers: ((podUid: string | undefined) => void)[] = [];

  constructor(parts: PodReferencesParts) {
    this.#parts = parts;
    parts.objects.onChange((uid) => this.changed(uid));
    parts.runtimeClasses?.onChange(() => this.#changedForAll());
    let known = false;
    parts.services?.onChange(() => {
      // Of later changes a pod isn't told, as upstream.
      if (!known) this.#changedForAll();
      known = true;
    });
  }

  /** `undefined`: all pods. */
  onDirty(handler: (podUid: string | undefined) => void): void {
    this.#handlers.push(handler);
  }

  register(pod: AgentPod): void {
    this.#parts.objects.register(pod);
  }

  release(podUid: string): void {
    this.#parts.objects.release(podUid);
    for (const each of this.#parts.perPod ?? []) each.forget(podUid);
    this.#own.delete(podUid);
  }

  /** Resolves when all that the pod needs for this is known, and after a moment at the latest. */
  async settled(pod: AgentPod, purpose: Purpose, signal: AbortSignal): Promise<void> {
    const { objects, services, runtimeClasses, clock } = this.#parts;
    if (purpose === 'image' && !pod.spec.imagePullSecrets?.length) return;
    if (purpose !== 'sandbox') await objects.settled(pod.metadata.uid, signal);
    if (purpose === 'volumes' || purpose === 'image') return;
    const list = purpose === 'sandbox' ? runtimeClasses : services;
    const isNeeded = purpose === 'sandbox' ? Boolean(pod.spec.runtimeClassName) : !isStaticPod(pod);
    if (list === undefined || list.hasSynced || !isNeeded) return;
    await withinMs(clock, SETTLE_MS, signal, (soon) => list.synced(soon));
  }

  /** Something that the pod's volumes or variables are made of has changed. */
  changed(podUid: string): void {
    this.#own.set(podUid, this.contentVersion(podUid) + 1);
    for (const handler of this.#handlers) handler(podUid);
  }

  #changedForAll(): void {
    this.#common++;
    for (const handler of this.#handlers) handler(undefined);
  }

  /** Changes with what the pod's volumes are made of. */
  contentVersion(podUid: string): number {
    return this.#own.get(podUid) ?? 0;
  }

  /** Changes with anything that the pod may have waited for. */
  version(podUid: string): number {
    return this.contentVersion(podUid) + this.#common;
  }
}
