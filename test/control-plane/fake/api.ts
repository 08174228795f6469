import type { DeleteOptions } from '#lib/kube/client.ts';
import type { Authenticator } from './auth/authenticate.ts';
import type { TokenIssuer } from './auth/jwt.ts';
import { restrictNode } from './auth/node-restriction.ts';
import type { NodeWrite } from './auth/node-restriction.ts';
import { checkContainerTransitions } from './container-transition.ts';
import { applyCreateDefaults, namespaceContents } from './create-defaults.ts';
import { findKind } from './kinds.ts';
import { requestMatcher } from './http/list.ts';
import { isMap } from './object.ts';
import type { Json, JsonMap, KubeObject } from './object.ts';
import { jsonPatch } from './patch/json-patch.ts';
import { mergePatch } from './patch/merge-patch.ts';
import { strategicPatch } from './patch/strategic-patch.ts';
import type { Recorder } from './recorder.ts';
import type { Registry } from './registry.ts';
import type { ResourceRequest } from './request.ts';
import { StatusError, badRequest, notFound } from './status-error.ts';
import { bindPod, evictPod } from './subresources/pod-actions.ts';
import { reviewAccess, reviewToken } from './subresources/reviews.ts';
import type { AccessRule } from './subresources/reviews.ts';
import { requestToken } from './subresources/token.ts';
import { nodeOf } from './user.ts';
import type { User } from './user.ts';

export interface ApiParts {
  registry: Registry;
  recorder: Recorder;
  authenticator: Authenticator;
  issuer: TokenIssuer;
  now: () => number;
  /** PEM, for kube-root-ca.crt. */
  ca: string;
}

/** What may be changed while it runs. */
export interface ApiOptions {
  /** Whether nodes may write only what NodeRestriction lets them. */
  restrictNodes: boolean;
  /** Wins over what a TokenRequest asks for, in seconds. */
  tokenLifeSeconds: number | undefined;
  /** What SubjectAccessReviews answer for others than system:masters. */
  accessRule: AccessRule;
}

export interface Call {
  request: ResourceRequest;
  user: User;
  /** Parsed; undefined where there was none. */
  body: unknown;
  contentType: string;
  userAgent: string;
}

export interface Answer {
  status: number;
  body: unknown;
}

const success = (): JsonMap => ({
  kind: 'Status',
  apiVersion: 'v1',
  metadata: {},
  status: 'Success',
  code: 200,
});
const ok = (body: unknown): Answer => ({ status: 200, body });

/** Subresources whose write is a write of the object. */
const writable = new Set(['status', 'resize', 'ephemeralcontainers', 'approval', 'finalize']);

/** Reads and writes of one object: everything but lists and watches. */
export class Api {
  readonly #parts: ApiParts;
  readonly options: ApiOptions;

  constructor(parts: ApiParts, options: ApiOptions) {
    this.#parts = parts;
    this.options = options;
  }

  handle(call: Call): Answer {
    const { request } = call;
    const { kind, namespace, name, subresource, verb } = request;
    if (kind.namespaced && namespace === undefined && verb !== 'list' && verb !== 'watch') {
      throw badRequest('an empty namespace may not be set during creation');
    }
    switch (verb) {
      case 'get':
        return ok(this.#parts.registry.get(kind, namespace, name ?? ''));
      case 'create':
        return subresource === undefined ? this.#create(call) : this.#createSubresource(call, subresource);
      case 'update':
        return ok(this.#write(call, objectOf(call.body), false));
      case 'patch':
        return ok(this.#patch(call));
      case 'delete':
        return ok(this.#delete(call, name ?? ''));
      case 'deletecollection':
        for (const object of this.#parts.registry.store
          .list(kind, namespace)
          .filter(requestMatcher(request))) {
          this.#delete(
            { ...call, request: { ...request, name: object.metadata.name } },
            object.metadata.name,
          );
        }
        return ok(success());
      case 'list':
      case 'watch':
        throw new Error('lists and watches are served elsewhere');
    }
  }

  #restrict(call: Call, objects: Pick<NodeWrite, 'next' | 'old'>): void {
    const node = nodeOf(call.user);
    if (node === undefined || !this.options.restrictNodes) return;
    restrictNode({ node, request: call.request, store: this.#parts.registry.store, ...objects });
  }

  #create(call: Call): Answer {
    const { request, user, body } = call;
    const { kind, namespace } = request;
    const { registry, authenticator, issuer, now, ca } = this.#parts;
    const given = objectOf(body);
    if (kind.plural === 'tokenreviews') {
      return { status: 201, body: reviewToken(given, authenticator, issuer) };
    }
    if (kind.plural === 'subjectaccessreviews') {
      return { status: 201, body: reviewAccess(given, this.options.accessRule) };
    }
    // Only pods (made by preparePod) and nodes keep what they say about themselves.
    if (kind.status && kind.plural !== 'nodes') delete given.status;
    const object = registry.prepare(kind, namespace, given, managerOf(call));
    applyCreateDefaults(object, kind.plural, { store: registry.store, user, now: now() });
    this.#restrict(call, { next: object });
    const created = registry.add(kind, object);
    if (kind.plural === 'namespaces') {
      for (const [plural, content] of namespaceContents(created.metadata.name, ca, now())) {
        registry.create(findKind('', plural)!, created.metadata.name, content);
      }
    }
    return { status: 201, body: created };
  }

  #createSubresource(call: Call, subresource: string): Answer {
    const { request, body } = call;
    const { kind, namespace, name = '' } = request;
    const { registry, issuer, now } = this.#parts;
    const given = objectOf(body);
    const object = registry.get(kind, namespace, name);
    this.#restrict(call, { next: given });
    switch (`${kind.plural}/${subresource}`) {
      case 'pods/binding':
        bindPod(registry, object, given, now());
        return { status: 201, body: success() };
      case 'pods/eviction':
        evictPod(registry, object, given, now());
        return { status: 201, body: success() };
      case 'serviceaccounts/token': {
        const { tokenLifeSeconds: lifeSeconds } = this.options;
        const { store } = registry;
        return { status: 201, body: requestToken(object, given, { store, issuer, now, lifeSeconds }) };
      }
      default:
        throw new StatusError(404, 'NotFound', 'the server could not find the requested resource');
    }
  }

  #write(call: Call, body: KubeObject, isPatch: boolean): KubeObject {
    const { request, user } = call;
    const { kind, namespace, name = '', subresource } = request;
    const { registry, recorder } = this.#parts;
    if (subresource !== undefined && !writable.has(subresource))
      throw notFound(kind, `${name}/${subresource}`);
    const before = registry.find(kind, namespace, name);
    // The approval is a part of the status with a door of its own.
    const part = subresource === 'approval' ? 'status' : subresource;
    const after = registry.update(kind, body, {
      namespace,
      name,
      subresource: part,
      by: managerOf(call),
      isPatch,
      check: (next, old) => {
        this.#restrict(call, { next, old });
        if (kind.plural === 'pods' && part === 'status') checkContainerTransitions(next, old);
      },
    });
    if (kind.plural === 'pods' && part === 'status')
      recorder.tookStatus(user.name, Date.now(), after, before);
    return after;
  }

  #patch(call: Call): KubeObject {
    const { request, body, contentType } = call;
    const { kind, namespace, name = '' } = request;
    const current = structuredClone(this.#parts.registry.get(kind, namespace, name));
    const target = current as unknown as JsonMap;
    // What a patch doesn't say of the version isn't a condition.
    delete (target['metadata'] as JsonMap)['resourceVersion'];
    const patch = body as Json;
    let next: Json;
    if (contentType.startsWith('application/strategic-merge-patch+json')) {
      next = strategicPatch(kind.kind, target, patch);
    } else if (contentType.startsWith('application/merge-patch+json')) {
      next = mergePatch(target, patch);
    } else if (contentType.startsWith('application/json-patch+json')) {
      next = jsonPatch(target, patch);
    } else {
      const words = `the body of the request was in an unknown format - accepted media types include: application/json-patch+json, application/merge-patch+json, application/strategic-merge-patch+json (given: ${contentType})`;
      throw new StatusError(415, 'UnsupportedMediaType', words);
    }
    return this.#write(call, objectOf(next), true);
  }

  #delete(call: Call, name: string): KubeObject {
    const { kind, namespace, query } = call.request;
    const { registry } = this.#parts;
    const old = registry.get(kind, namespace, name);
    this.#restrict(call, { old });
    const options: DeleteOptions = isMap(call.body) ? call.body : {};
    const grace = query.get('gracePeriodSeconds');
    if (grace !== null) options.gracePeriodSeconds = Number(grace);
    return registry.delete(kind, namespace, name, options);
  }
}

/** The name of the program in a User-Agent, which upstream takes for the field manager. */
const managerOf = ({ userAgent }: Call): string => userAgent.split('/')[0] || 'unknown';

function objectOf(body: unknown): KubeObject {
  if (!isMap(body)) throw badRequest('the body must be an object');
  const metadata = body['metadata'] ?? {};
  if (!isMap(metadata)) throw badRequest('metadata must be an object');
  // As Go's omitempty: an empty map or list isn't there.
  const isEmpty = (value: Json): boolean =>
    value === null || (typeof value === 'object' && Object.keys(value).length === 0);
  const kept = Object.fromEntries(Object.entries(metadata).filter(([, value]) => !isEmpty(value)));
  return { ...body, metadata: kept } as unknown as KubeObject;
}
