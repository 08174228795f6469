import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestClient } from '../client.ts';
import type { ControlPlane } from '../control-plane.ts';
import { Identities, adminUser } from '../identities.ts';
import { Authority } from '../pki.ts';
import type { KeyPair, Validity } from '../pki.ts';
import { setUpCluster } from '../set-up.ts';
import type { Fault, Misbehaviour } from './faults/faults.ts';
import type { RequestMatch } from './faults/match.ts';
import { Front } from './front.ts';
import { TlsServer } from './http/server.ts';
import { buildParts } from './parts.ts';
import type { FakeOptions, FakeParts } from './parts.ts';
import type { Recorder } from './recorder.ts';
import { seed } from './seed.ts';
import type { Store } from './store.ts';
import type { User } from './user.ts';

interface Running {
  parts: FakeParts;
  front: Front;
  side: Front;
  server: TlsServer;
  authority: Authority;
  dir: string;
  hosts: string[];
}

/** An API server in this process that misbehaves on command. Nothing of it outlives destroy(). */
export class FakeControlPlane extends Identities implements ControlPlane {
  readonly isReal = false;
  readonly title = 'the fake control plane';
  readonly fake: FakeControlPlane;
  readonly #running: Running;

  private constructor(running: Running, url: string, admin: KeyPair) {
    super(url, running.authority, admin);
    this.#running = running;
    this.fake = this;
  }

  static async start(options: FakeOptions = {}): Promise<FakeControlPlane> {
    const address = options.address ?? '127.0.0.1';
    const hosts = [...new Set([address, '127.0.0.1', '10.0.0.1', 'localhost', 'kubernetes.default.svc'])];
    const dir = await mkdtemp(join(tmpdir(), 'api-'));
    const socket = join(dir, 's');
    const authority = await Authority.create('fake-ca');
    const [serving, admin] = await Promise.all([
      authority.issue({ commonName: 'kube-apiserver', hosts, usage: 'server' }),
      authority.issue({ ...adminUser, usage: 'client' }),
    ]);
    const parts = buildParts(options, authority);
    const server = new TlsServer(serving, authority.certificate, (request, response) =>
      parts.handler.handle(request, response),
    );
    await server.listen(socket);
    const front = new Front(socket, address, options.port ?? 0);
    const side = new Front(socket, '127.0.0.1', 0);
    await front.listen();
    seed(parts.registry, authority.certificate, address, front.port, Date.now());
    const url = `https://${address}:${front.port}`;
    const plane = new FakeControlPlane({ parts, front, side, server, authority, dir, hosts }, url, admin);
    await setUpCluster(plane.client);
    parts.recorder.clear();
    return plane;
  }

  /** What was asked, and every status that was published. */
  get recorder(): Recorder {
    return this.#running.parts.recorder;
  }

  /** Behind all checks: for what no API call can do. */
  get store(): Store {
    return this.#running.parts.store;
  }

  /** What SubjectAccessReviews answer, how long tokens live, whether nodes are restricted: may be changed any time. */
  get options(): FakeParts['api']['options'] {
    return this.#running.parts.api.options;
  }

  /** Who approves and signs CertificateSigningRequests; a change counts for those that wait too. */
  setSigning(options: Partial<FakeParts['signer']['options']>): void {
    Object.assign(this.#running.parts.signer.options, options);
    this.#running.parts.signer.review();
  }

  /** A further bearer token. */
  addToken(token: string, user: User): void {
    this.#running.parts.authenticator.tokens.set(token, user);
  }

  /** Bootstrap tokens are refused (401) while `refuse` is true. */
  refuseBootstrap(refuse = true): void {
    this.#running.parts.authenticator.refusesBootstrap = refuse;
  }

  /** Requests that match meet this instead of their answer: until stopped, or so many times. */
  misbehave(match: RequestMatch, misbehaviour: Misbehaviour, times?: number): Fault {
    return this.#running.parts.faults.add(match, misbehaviour, times);
  }

  /** How many watches are open. */
  watches(match?: RequestMatch): number {
    return this.#running.parts.watches.count(match);
  }

  /** Ends watches: cleanly, or with their connections. */
  dropWatches(match: RequestMatch = {}, abruptly = false): void {
    this.#running.parts.watches.drop(match, abruptly);
  }

  /** Watches stay open and say nothing; the function that is given ends it and sends what has gathered. */
  stallWatches(match: RequestMatch = {}): () => void {
    return this.#running.parts.watches.stall(match);
  }

  /** Those that are open now say nothing more, as a connection that is dead without knowing it; the next ones do. */
  stallOpenWatches(match: RequestMatch = {}): void {
    this.#running.parts.watches.stallOpen(match);
  }

  /** Open watches are told 410, and no older revision than now can be watched from. */
  expireWatches(match: RequestMatch = {}): void {
    this.#running.parts.store.compact();
    this.#running.parts.watches.expire(match);
  }

  /** All `continue` tokens so far are answered 410. */
  expireContinues(): void {
    this.#running.parts.lists.expire();
  }

  /** Half-open: connections are accepted and stay, and nothing is read or answered on any, until hear(). */
  goDeaf(): void {
    this.#running.front.goDeaf();
  }

  hear(): void {
    this.#running.front.hear();
  }

  /** Half-open for good: connections that are open now carry nothing any more, and new ones do. */
  freezeConnections(): void {
    this.#running.front.freeze();
  }

  /**
   * The admin, by a door that stays open while the server is gone or deaf for everybody else: what happens in a cluster
   * that one node can't reach.
   */
  async sideDoor(): Promise<TestClient> {
    const { side } = this.#running;
    await side.listen();
    return this.clientAt(`https://127.0.0.1:${side.port}`);
  }

  /** Resets all connections. */
  cutConnections(): void {
    this.#running.front.cut();
  }

  /** Connections that are open. */
  get connections(): number {
    return this.#running.front.connections;
  }

  /** HTTP/2 clients are told to open other connections. */
  goAway(): void {
    this.#running.server.goAway();
  }

  /** The server's clock goes wrong by this: times that it sets, certificates and tokens that it judges and issues. */
  skewClock(ms: number): void {
    this.#running.parts.clock.skewMs = ms;
  }

  /** New connections are shown another certificate: one that has expired, or one for other hosts. */
  async serveCertificate(options: Validity & { hosts?: readonly string[] } = {}): Promise<void> {
    const { authority, hosts, server } = this.#running;
    server.useCertificate(
      await authority.issue({ commonName: 'kube-apiserver', hosts, usage: 'server', ...options }),
    );
  }

  /** Ends all misbehaviours of requests, deafness and skew. */
  behave(): void {
    this.#running.parts.faults.clear();
    this.refuseBootstrap(false);
    this.skewClock(0);
    this.hear();
  }

  async stop(): Promise<void> {
    await this.#running.front.close();
  }

  async start(): Promise<void> {
    await this.#running.front.listen();
  }

  async destroy(): Promise<void> {
    const { front, side, server, dir, parts } = this.#running;
    parts.faults.clear();
    this.closeClients();
    await front.close();
    await side.close();
    await server.close();
    await rm(dir, { recursive: true, force: true });
  }
}
