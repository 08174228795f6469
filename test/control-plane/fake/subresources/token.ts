/** `serviceaccounts/NAME/token`: pkg/registry/core/serviceaccount/storage/token.go of 1.36. */
import { randomUUID } from 'node:crypto';
import { testResources } from '../../resources.ts';
import type { TokenIssuer } from '../auth/jwt.ts';
import { timeText, textOf } from '../object.ts';
import type { JsonMap, KubeObject } from '../object.ts';
import { badRequest, conflict, invalid, notFound } from '../status-error.ts';
import type { Store } from '../store.ts';

export const apiAudience = 'https://kubernetes.default.svc.cluster.local';

const bindable: Readonly<Record<string, 'pods' | 'secrets' | 'nodes'>> = {
  Pod: 'pods',
  Secret: 'secrets',
  Node: 'nodes',
};

const named = ({ metadata }: KubeObject): JsonMap => ({ name: metadata.name, uid: metadata.uid ?? '' });

export interface TokenContext {
  store: Store;
  issuer: TokenIssuer;
  now: () => number;
  /** Wins over what was asked for, in seconds. */
  lifeSeconds: number | undefined;
}

/** The claims' private part; throws where the bound object is another one or gone. */
function boundTo(account: KubeObject, ref: JsonMap | undefined, store: Store): JsonMap {
  const { namespace = '', name } = account.metadata;
  const claims: JsonMap = { namespace, serviceaccount: named(account) };
  if (ref === undefined) return claims;
  const plural = bindable[textOf(ref['kind'])];
  if (plural === undefined || ref['apiVersion'] !== 'v1') {
    throw badRequest(
      `cannot bind token to object of type ${textOf(ref['apiVersion'])}, Kind=${textOf(ref['kind'])}`,
    );
  }
  const refName = textOf(ref['name']);
  const object = store.get(testResources[plural], plural === 'nodes' ? undefined : namespace, refName);
  if (object === undefined) throw notFound(testResources[plural], refName);
  if (plural === 'pods' && object.spec?.['serviceAccountName'] !== name) {
    throw badRequest(
      `cannot bind token for serviceaccount "${name}" to pod running with different serviceaccount name.`,
    );
  }
  if (ref['uid'] && ref['uid'] !== object.metadata.uid) {
    const why = `the UID in the bound object reference (${textOf(ref['uid'])}) does not match the UID in record. The object might have been deleted and then recreated`;
    throw conflict({ group: '', plural: textOf(ref['kind']) }, refName, why);
  }
  claims[textOf(ref['kind']).toLowerCase()] = named(object);
  const nodeName = plural === 'pods' ? object.spec?.['nodeName'] : undefined;
  if (typeof nodeName === 'string') {
    const node = store.get(testResources.nodes, undefined, nodeName);
    claims['node'] = node === undefined ? { name: nodeName } : named(node);
  }
  return claims;
}

/** Answers a TokenRequest. */
export function requestToken(account: KubeObject, body: KubeObject, context: TokenContext): KubeObject {
  const { store, issuer, now } = context;
  const spec = body.spec ?? {};
  const asked = Number(spec['expirationSeconds'] ?? 3600);
  if (asked < 600) {
    const why = `spec.expirationSeconds: Invalid value: ${asked}: may not specify a duration less than 10 minutes`;
    throw invalid('TokenRequest.authentication.k8s.io', '', why);
  }
  const audiences = (spec['audiences'] ?? []) as string[];
  const aud = audiences.length > 0 ? audiences : [apiAudience];
  const ref = (spec['boundObjectRef'] ?? undefined) as JsonMap | undefined;
  const bound = boundTo(account, ref, store);
  const seconds = Math.floor(now() / 1000);
  const exp = seconds + (context.lifeSeconds ?? asked);
  const { namespace = '', name, uid = '' } = account.metadata;
  const token = issuer.sign({
    aud,
    exp,
    iat: seconds,
    nbf: seconds,
    iss: apiAudience,
    jti: randomUUID(),
    sub: `system:serviceaccount:${namespace}:${name}`,
    'kubernetes.io': bound,
  });
  return {
    apiVersion: 'authentication.k8s.io/v1',
    kind: 'TokenRequest',
    metadata: { name, namespace, uid, creationTimestamp: timeText(now()) },
    spec: { ...spec, audiences: aud, expirationSeconds: asked },
    status: { token, expirationTimestamp: timeText(exp * 1000) },
  };
}
