import { ApiError } from '#lib/kube/api-error.ts';
import type { ApiCall, ObjectName, Resource } from '#lib/kube/client.ts';
import type { SigningRequest } from '../signing.ts';
import type { TestCa, Validity } from './test-ca.ts';

type Named = SigningRequest & { metadata: { name: string; uid: string } };

const answer = (status: number, reason: string, message = reason): ApiError =>
  new ApiError({ status, reason, message });

/**
 * The cluster's side of signing requests, in memory. By default it approves and signs at once, for a year from
 * `serverNow()`.
 */
export class FakeSigningApi {
  readonly ca: TestCa;
  readonly requests = new Map<string, Named>();
  /** Names in the order of their creation, repeated creations included. */
  readonly created: string[] = [];
  /** What each call went out with, oldest first. */
  readonly callers: string[] = [];
  approves = true;
  signs = true;
  lifetimeMs = 365 * 24 * 3_600_000;
  serverNow: () => number;
  /** Asked before each call; an error is thrown. `verb` is `create`, `get` or `node`. */
  fault: (verb: string, caller: string) => Error | undefined = () => undefined;

  constructor(ca: TestCa, serverNow: () => number) {
    this.ca = ca;
    this.serverNow = serverNow;
  }

  /** A client that calls as `caller`. */
  client(caller: string): FakeSigningClient {
    return new FakeSigningClient(this, caller);
  }

  called(verb: string, caller: string): void {
    this.callers.push(caller);
    const fault = this.fault(verb, caller);
    if (fault !== undefined) throw fault;
  }

  async create(request: SigningRequest): Promise<Named> {
    const name = request.metadata?.name ?? '';
    this.created.push(name);
    if (this.requests.has(name)) throw answer(409, 'AlreadyExists');
    const stored = structuredClone(request) as Named;
    stored.metadata.uid = `uid-${this.created.length}`;
    this.requests.set(name, stored);
    if (this.approves) await this.approve(name);
    return structuredClone(stored);
  }

  get(name: string): Named {
    const found = this.requests.get(name);
    if (found === undefined) throw answer(404, 'NotFound');
    return structuredClone(found);
  }

  async approve(name: string, valid?: Validity): Promise<void> {
    this.decide(name, 'Approved', 'AutoApproved', '');
    if (this.signs) await this.sign(name, valid);
  }

  async sign(name: string, valid?: Validity): Promise<void> {
    const request = this.requests.get(name)!;
    const now = this.serverNow();
    const pem = Buffer.from(request.spec.request, 'base64').toString();
    const certificate = await this.ca.sign(
      pem,
      valid ?? { notBefore: now - 300_000, notAfter: now - 300_000 + this.lifetimeMs },
    );
    request.status = { ...request.status, certificate: Buffer.from(certificate).toString('base64') };
  }

  decide(name: string, type: string, reason: string, message: string): void {
    const request = this.requests.get(name)!;
    const conditions = [
      ...(request.status?.conditions ?? []),
      { type, status: 'True', reason, message },
    ] as NonNullable<NonNullable<SigningRequest['status']>['conditions']>;
    request.status = { ...request.status, conditions };
  }
}

/** The part of a KubeClient that identity uses. */
export class FakeSigningClient {
  readonly #api: FakeSigningApi;
  readonly #caller: string;

  constructor(api: FakeSigningApi, caller: string) {
    this.#api = api;
    this.#caller = caller;
  }

  async create<T>(_resource: Resource, _at: object, object: unknown, call: ApiCall): Promise<T> {
    call.signal.throwIfAborted();
    this.#api.called('create', this.#caller);
    return (await this.#api.create(object as SigningRequest)) as T;
  }

  async get<T>(resource: Resource, at: ObjectName, call: ApiCall): Promise<T> {
    call.signal.throwIfAborted();
    await Promise.resolve();
    if (resource.plural === 'nodes') {
      this.#api.called('node', this.#caller);
      throw answer(404, 'NotFound');
    }
    this.#api.called('get', this.#caller);
    return this.#api.get(at.name) as T;
  }
}
