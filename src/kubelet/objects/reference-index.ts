import type { AgentPod } from '#lib/kube/types.ts';
import { type ObjectReference, type ReferencesOf, podReferences } from './references.ts';

/** Which pod names which objects, both ways. */
export class ReferenceIndex {
  readonly #pods = new Map<string, { pod: AgentPod; references: Map<string, ObjectReference> }>();
  readonly #users = new Map<string, Set<string>>();
  readonly #referencesOf: ReferencesOf;

  constructor(referencesOf: ReferencesOf = podReferences) {
    this.#referencesOf = referencesOf;
  }

  /** Returns the objects that nobody named before, and those that nobody names any more. */
  put(pod: AgentPod): { added: ObjectReference[]; removed: string[] } {
    const { uid } = pod.metadata;
    const known = this.#pods.get(uid);
    if (known?.pod === pod) return { added: [], removed: [] };
    const references = this.#referencesOf(pod);
    const before = known?.references ?? new Map<string, ObjectReference>();
    this.#pods.set(uid, { pod, references });
    const added = [...references].flatMap(([key, reference]) => (this.#use(key, uid) ? [reference] : []));
    const removed = [...before.keys()].filter((key) => !references.has(key) && this.#drop(key, uid));
    return { added, removed };
  }

  /** Returns the objects that nobody names any more. */
  remove(uid: string): string[] {
    const references = this.#pods.get(uid)?.references ?? new Map<string, ObjectReference>();
    this.#pods.delete(uid);
    return [...references.keys()].filter((key) => this.#drop(key, uid));
  }

  /** The UIDs of the pods that name the object. */
  usersOf(key: string): string[] {
    return [...(this.#users.get(key) ?? [])];
  }

  keysOf(uid: string): string[] {
    return [...(this.#pods.get(uid)?.references.keys() ?? [])];
  }

  /** The keys of all objects that anybody names. */
  keys(): string[] {
    return [...this.#users.keys()];
  }

  /** Says whether the pod is the first. */
  #use(key: string, uid: string): boolean {
    const users = this.#users.get(key);
    if (users === undefined) this.#users.set(key, new Set([uid]));
    else users.add(uid);
    return users === undefined;
  }

  /** Says whether the pod was the last. */
  #drop(key: string, uid: string): boolean {
    const users = this.#users.get(key);
    users?.delete(uid);
    if (users === undefined || users.size > 0) return false;
    this.#users.delete(key);
    return true;
  }
}
