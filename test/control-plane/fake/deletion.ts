/**
 * What a DELETE does to an object: rules of rest.BeforeDelete and the pod strategy's CheckGracefulDelete
 * (k8s.io/apiserver/pkg/registry/rest/delete.go, pkg/registry/core/pod/strategy.go of 1.36).
 */
import type { DeleteOptions } from '#lib/kube/client.ts';
import type { Kind } from './kinds.ts';
import { timeText } from './object.ts';
import type { KubeObject } from './object.ts';
import { conflict } from './status-error.ts';

export type Deletion =
  /** The object goes at once; a pod is first marked, so that watchers see the last grace period that was given. */
  | { type: 'remove'; marked?: KubeObject }
  /** It stays, with a deletion timestamp. */
  | { type: 'mark'; object: KubeObject }
  /** It is being deleted already, and soon enough. */
  | { type: 'pending' };

function checkPreconditions(kind: Kind, { metadata }: KubeObject, options: DeleteOptions): void {
  const { uid, resourceVersion } = options.preconditions ?? {};
  if (uid !== undefined && uid !== metadata.uid) {
    const why = `the UID in the precondition (${uid}) does not match the UID in record (${metadata.uid}). The object might have been deleted and then recreated`;
    throw conflict(kind, metadata.name, why);
  }
  if (resourceVersion !== undefined && resourceVersion !== metadata.resourceVersion) {
    const why = `the ResourceVersion in the precondition (${resourceVersion}) does not match the ResourceVersion in record (${metadata.resourceVersion}). The object might have been modified`;
    throw conflict(kind, metadata.name, why);
  }
}

/** The grace period of a pod's first deletion, in seconds. */
function firstGrace(pod: KubeObject, asked: number | undefined): number {
  const phase = pod.status?.['phase'];
  const ended = phase === 'Failed' || phase === 'Succeeded';
  const assigned = (pod.spec?.['nodeName'] ?? '') !== '';
  if (ended || !assigned) return 0;
  const grace = asked ?? Number(pod.spec?.['terminationGracePeriodSeconds'] ?? 0);
  return grace < 0 ? 1 : grace;
}

function mark(object: KubeObject, at: number, grace: number, isFirst: boolean): KubeObject {
  const { generation } = object.metadata;
  const metadata = {
    ...object.metadata,
    deletionTimestamp: timeText(at),
    deletionGracePeriodSeconds: grace,
    ...(isFirst && generation !== undefined ? { generation: generation + 1 } : {}),
  };
  return { ...object, metadata };
}

/** Decides, and changes nothing. `now` is wall time in milliseconds. */
export function decideDeletion(
  kind: Kind,
  object: KubeObject,
  options: DeleteOptions,
  now: number,
): Deletion {
  checkPreconditions(kind, object, options);
  const { deletionTimestamp, deletionGracePeriodSeconds = 0, finalizers = [] } = object.metadata;
  const isFirst = deletionTimestamp === undefined;
  let grace = 0;
  let at = now;
  if (kind.plural === 'pods') {
    const given = options.gracePeriodSeconds;
    const asked = given !== undefined && given < 0 ? 1 : given;
    if (isFirst) {
      grace = firstGrace(object, asked);
      at = now + grace * 1000;
    } else if (deletionGracePeriodSeconds > 0) {
      // Only ever shorter, and never into the past.
      if (asked === undefined || asked >= deletionGracePeriodSeconds) return { type: 'pending' };
      grace = asked;
      at = Date.parse(deletionTimestamp) - deletionGracePeriodSeconds * 1000 + asked * 1000;
      if (at < now) {
        at = now;
        if (grace !== 0) grace = 1;
      }
    }
  }
  if (grace === 0 && finalizers.length === 0) {
    const isNews = kind.plural === 'pods' && (isFirst || deletionGracePeriodSeconds > 0);
    return { type: 'remove', ...(isNews ? { marked: mark(object, at, grace, isFirst) } : {}) };
  }
  if (!isFirst && grace === 0 && deletionGracePeriodSeconds === 0) return { type: 'pending' };
  return { type: 'mark', object: mark(object, at, grace, isFirst) };
}
