import { createHash } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import type { AgentPod, Pod, PodSourceName, PodSpec } from '#lib/kube/types.ts';
import type { Clock } from '#lib/clock.ts';
import { canonicalJson } from '#lib/kube/canonical.ts';
import type { ManifestProblem } from '#server/view.ts';
import { type LocalObject, type ServedObject, isObjectKey, localKey } from '../objects/local-object.ts';
import { type Kept, keepBroken } from './kept.ts';
import type { ManifestRecord, RecordedPod } from './last-good.ts';
import { readManifest } from './manifest-pods.ts';
import type { ManifestFinding, ManifestPods, PodKey } from './manifest-pods.ts';
import type { AdoptUid } from './source.ts';
import { staticNameSuffix, staticPodHash, toStaticPod } from './static-pod.ts';

export interface ManifestOwner {
  nodeName: string;
  kind: PodSourceName;
  adopt: AdoptUid;
  clock: Clock;
  onePod: boolean;
  servesObjects: boolean;
}

/** What a text would change; nothing is in force of it until it is applied. */
export interface Verdict {
  read: ManifestPods;
  digest: string;
  /** Something is broken or missing that was in force: perhaps the text is only half written. */
  doubtful: boolean;
}

interface InForce extends RecordedPod {
  agentPod: AgentPod;
}

/** Other words, the same meaning: a default written out, a comment. */
const isEqual = (a: Pod, b: Pod): boolean => canonicalJson(a) === canonicalJson(b);

const digestOf = (text: string): string => createHash('sha256').update(text).digest('hex');

/**
 * One manifest (a file or URL) through its versions: which of its pods are in force, and why others aren't. A pod
 * whose document breaks stays in force as it was; one whose document goes away leaves.
 */
export class TrackedManifest {
  readonly origin: string;
  readonly #owner: ManifestOwner;
  #inForce = new Map<PodKey, InForce>();
  #objects: ReadonlyMap<string, LocalObject> = new Map();
  #problems: ManifestProblem[] = [];
  #digest = '';
  #saved: string | undefined;
  /** What was in force when the agent last ran; undefined from the first version on that this agent takes. */
  #before: { digest: string; pods: Map<PodKey, RecordedPod>; objects: Map<string, LocalObject> } | undefined;

  constructor(origin: string, owner: ManifestOwner, record?: ManifestRecord) {
    this.origin = origin;
    this.#owner = owner;
    const pods = new Map((record?.pods ?? []).map((each) => [each.key, each]));
    const held = owner.servesObjects ? (record?.objects ?? []) : [];
    const objects = new Map(held.map((each) => [localKey(each), each]));
    this.#before = { digest: record?.digest ?? '', pods, objects };
    this.#saved = record === undefined ? undefined : JSON.stringify(record);
  }

  get pods(): AgentPod[] {
    return [...this.#inForce.values()].map((each) => each.agentPod);
  }

  get objects(): ServedObject[] {
    return [...this.#objects.values()].map((each) => ({ ...each, origin: this.origin }));
  }

  get holdsAnything(): boolean {
    return this.#inForce.size > 0 || this.#objects.size > 0;
  }

  get problems(): readonly ManifestProblem[] {
    return this.#problems;
  }

  /** What to keep for the agent's next start; undefined if that is kept already. */
  takeUnsaved(): ManifestRecord | undefined {
    const pods = [...this.#inForce.values()].map(({ key, hash, uid, pod }) => ({ key, hash, uid, pod }));
    const { origin } = this;
    const record: ManifestRecord = {
      version: 1,
      origin,
      nodeName: this.#owner.nodeName,
      digest: this.#digest,
      pods,
      ...(this.#objects.size === 0 ? {} : { objects: [...this.#objects.values()] }),
    };
    const text = JSON.stringify(record);
    const isEmpty = pods.length === 0 && this.#objects.size === 0;
    if (text === this.#saved || (this.#saved === undefined && isEmpty)) return undefined;
    this.#saved = text;
    return record;
  }

  judge(text: string): Verdict {
    const { nodeName, onePod, servesObjects } = this.#owner;
    const read = readManifest(text, { nameSuffix: staticNameSuffix(nodeName), onePod, servesObjects });
    const broken = read.findings.some((each) => each.blocks !== undefined || each.blocksUnknown);
    const missing =
      [...this.#inForce.keys()].some((key) => !read.pods.has(key)) ||
      [...this.#objects.keys()].some((key) => !read.objects.has(key));
    return { read, digest: digestOf(text), doubtful: broken || missing };
  }

  /** Puts a version in force. */
  apply({ read, digest }: Verdict): void {
    const next = new Map<PodKey, InForce>();
    for (const [key, pod] of read.pods) {
      if (pod.spec === undefined) continue;
      const hash = staticPodHash(read.written.get(key) ?? pod, this.#owner);
      next.set(key, this.#version(key, { ...pod, spec: pod.spec }, hash, digest));
    }
    const objects = this.#newObjects(read);
    const kept = [
      keepBroken(this.#current(), next, read.findings, (key) => !isObjectKey(key)),
      keepBroken(this.#currentObjects(), objects, read.findings, isObjectKey),
    ];
    this.#problems = read.findings.map((each) => this.#problem(each, kept));
    this.#inForce = next;
    this.#objects = objects;
    const whole = !read.findings.some((each) => each.blocks !== undefined || each.blocksUnknown);
    this.#digest = whole ? digest : '';
    this.#before = undefined;
  }

  /** The manifest can't be read: what was in force stays. */
  fail(message: string): void {
    this.#inForce = this.#current();
    this.#objects = this.#currentObjects();
    this.#digest = this.#before?.digest ?? this.#digest;
    this.#before = undefined;
    this.#problems = [{ origin: this.origin, message, lastGoodRuns: this.holdsAnything }];
  }

  #currentObjects(): ReadonlyMap<string, LocalObject> {
    return this.#before?.objects ?? this.#objects;
  }

  /** What hasn't changed stays the same object. */
  #newObjects(read: ManifestPods): Map<string, LocalObject> {
    const current = this.#currentObjects();
    return new Map(
      [...read.objects].map(([key, now]) => {
        const held = current.get(key);
        return [key, held !== undefined && isDeepStrictEqual(held, now) ? held : now];
      }),
    );
  }

  /** What is in force, or was when the agent last ran. */
  #current(): Map<PodKey, InForce> {
    if (this.#before === undefined) return this.#inForce;
    const result = new Map<PodKey, InForce>();
    for (const [key, recorded] of this.#before.pods) {
      const { pod, uid } = recorded;
      if (pod.spec !== undefined) {
        result.set(key, { ...recorded, agentPod: this.#place({ ...pod, spec: pod.spec }, uid) });
      }
    }
    return result;
  }

  #version(key: PodKey, pod: Pod & { spec: PodSpec }, hash: string, digest: string): InForce {
    const current = this.#inForce.get(key);
    if (current !== undefined && (current.hash === hash || isEqual(current.pod, pod)))
      return current.hash === hash ? current : { ...current, hash };
    const uid = pod.metadata?.uid || this.#firstUid(key, pod, hash, digest) || hash;
    return { key, hash, uid, pod, agentPod: this.#place(pod, uid) };
  }

  /**
   * At the agent's start a pod that runs already keeps its UID, whoever gave it (another agent's can't be computed).
   * Not so the pod that an older text of the manifest made: what ran is then an older version.
   */
  #firstUid(key: PodKey, pod: Pod & { spec: PodSpec }, hash: string, digest: string): string | undefined {
    if (this.#before === undefined) return undefined;
    const recorded = this.#before.pods.get(key);
    const same =
      recorded !== undefined &&
      (recorded.hash === hash || this.#before.digest === digest || isEqual(recorded.pod, pod));
    const placed = this.#place(pod, hash);
    const { uid: _open, ...metadata } = placed.metadata;
    const running = this.#owner.adopt({ ...placed, metadata });
    if (running !== undefined && (same || running !== recorded?.uid)) return running;
    return same ? recorded.uid : undefined;
  }

  #place(pod: Pod & { spec: PodSpec }, uid: string): AgentPod {
    const { nodeName, kind, clock } = this.#owner;
    return toStaticPod(pod, uid, { nodeName, kind, seen: clock.now() });
  }

  #problem({ blocks, blocksUnknown, ...finding }: ManifestFinding, kept: readonly Kept[]): ManifestProblem {
    const named = blocks !== undefined && kept.some((each) => each.named.has(blocks));
    const broken = blocks !== undefined || blocksUnknown === true;
    const strays = broken && kept.some((each) => each.strays);
    return { origin: this.origin, ...finding, lastGoodRuns: named || strays };
  }
}
