import { ApiError } from '#lib/kube/api-error.ts';
import { silentLogger } from '#lib/logger.ts';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as realSleep } from 'node:timers/promises';
import { parse } from 'yaml';
import type { ClientAccess, Connection } from '../access.ts';
import type { IdentityOptions } from '../client-files.ts';
import { parseLeaf } from '../key-pair.ts';
import type { KeyPair, Leaf } from '../key-pair.ts';
import { IdentityManager } from '../manager.ts';
import { FakeSigningApi } from './fake-signing-api.ts';
import { JumpClock } from './jump-clock.ts';
import { TestCa, isSigning, x509InProcess } from './test-ca.ts';

export const HOUR = 3_600_000;
export const YEAR = 365 * 24 * HOUR;

interface User {
  token?: string;
  'client-certificate'?: string;
  'client-certificate-data'?: string;
}

/** A node's disk and its cluster, for tests of the whole. The server's clock is right: it is the monotonic one. */
export class Harness {
  readonly folder: string;
  readonly clock = new JumpClock(Date.parse('2026-01-01T00:00:00Z'), settleDisk);
  readonly ca: TestCa;
  readonly api: FakeSigningApi;
  readonly tokens = new Set(['good']);
  readonly revoked = new Set<string>();
  /** What every call fails with while the server can't be reached. */
  away: Error | undefined;
  /** Open and closed connections, as `token:…` or a fingerprint. */
  readonly connected: string[] = [];
  open = 0;
  readonly #stops = new Set<AbortController>();

  private constructor(folder: string, ca: TestCa) {
    this.folder = folder;
    this.ca = ca;
    this.api = new FakeSigningApi(ca, () => this.clock.monotonic());
  }

  static async make(): Promise<Harness> {
    return new Harness(await mkdtemp(join(tmpdir(), 'nodelet-identity-')), await TestCa.make());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const stop of this.#stops) stop.abort(new Error('test over'));
    await realSleep(5);
    await rm(this.folder, { recursive: true, force: true });
  }

  path(name: string): string {
    return join(this.folder, name);
  }

  options(changes: Partial<IdentityOptions> = {}): IdentityOptions {
    return {
      nodeName: 'n1',
      kubeconfigPath: this.path('kubelet.conf'),
      bootstrapKubeconfigPath: this.path('bootstrap.conf'),
      rotateCertificates: true,
      ...changes,
    };
  }

  manager(changes: Partial<IdentityOptions> = {}): IdentityManager {
    return new IdentityManager(this.options(changes), {
      certDir: this.path('pki'),
      connect: (access) => this.connect(access),
      x509: x509InProcess,
      clock: this.clock,
      random: () => 0.5,
      log: silentLogger,
    });
  }

  /** A signal that the test's end aborts; aborting it earlier is the process's death. */
  process(): AbortController {
    const stop = new AbortController();
    this.#stops.add(stop);
    return stop;
  }

  async writeKubeconfig(name: string, user: User & Record<string, unknown>): Promise<void> {
    const config = {
      'current-context': 'c',
      contexts: [{ name: 'c', context: { cluster: 'k', user: 'u' } }],
      clusters: [
        { name: 'k', cluster: { server: 'https://10.0.0.1:6443', 'certificate-authority': 'ca.crt' } },
      ],
      users: [{ name: 'u', user }],
    };
    await writeFile(this.path(name), JSON.stringify(config));
  }

  embedded(pair: KeyPair): User & Record<string, unknown> {
    return {
      'client-certificate-data': Buffer.from(pair.cert).toString('base64'),
      'client-key-data': Buffer.from(pair.key).toString('base64'),
    };
  }

  /** A pair of this node. */
  issue(notBefore: number, notAfter: number, commonName = 'system:node:n1'): Promise<KeyPair> {
    return this.ca.issue({ commonName, organizations: ['system:nodes'] }, { notBefore, notAfter });
  }

  async connect(access: ClientAccess): Promise<Connection> {
    const config = parse(await readFile(access.kubeconfigPath, 'utf8')) as { users: { user: User }[] };
    const user: User =
      access.clientCertificatePath === undefined
        ? config.users[0]!.user
        : { 'client-certificate': access.clientCertificatePath };
    const leaf = await leafOf(user);
    const caller = leaf?.fingerprint ?? `token:${user.token}`;
    this.connected.push(caller);
    this.open += 1;
    const client = this.api.client(caller);
    const guard = (): void => {
      if (this.away !== undefined) throw this.away;
      const isGood = leaf === undefined ? this.tokens.has(user.token ?? '') : this.#takes(leaf);
      if (!isGood) throw new ApiError({ status: 401, reason: 'Unauthorized', message: 'Unauthorized' });
    };
    return {
      client: {
        create: async (...args) => {
          guard();
          return await client.create(...args);
        },
        get: async (...args) => {
          guard();
          return await client.get(...args);
        },
      },
      close: () => {
        this.open -= 1;
      },
    };
  }

  #takes(leaf: Leaf): boolean {
    return leaf.notAfter > this.api.serverNow() && !this.revoked.has(leaf.fingerprint);
  }

  /** Lets virtual time pass in small steps until `check` holds. */
  async until(check: () => boolean, stepMs = 200): Promise<void> {
    for (let step = 0; step < 1500; step++) {
      if (check()) return;
      await this.clock.advance(stepMs);
    }
    throw new Error('did not come to pass');
  }

  /** Lets a promise settle while virtual time passes. */
  async during<T>(promise: Promise<T>, stepMs = 200): Promise<T> {
    let isSettled = false;
    const settled = promise.finally(() => {
      isSettled = true;
    });
    settled.catch(() => undefined);
    await this.until(() => isSettled, stepMs);
    return await settled;
  }

  /** The certificate in the store. */
  async current(prefix = 'kubelet-client'): Promise<Leaf> {
    const path = this.path(`pki/${prefix}-current.pem`);
    return parseLeaf(await readFile(path, 'utf8'), path);
  }
}

async function leafOf(user: User): Promise<Leaf | undefined> {
  const data = user['client-certificate-data'];
  const file = user['client-certificate'];
  if (data !== undefined) return parseLeaf(Buffer.from(data, 'base64').toString(), 'data');
  return file === undefined ? undefined : parseLeaf(await readFile(file, 'utf8'), file);
}

/** Lets what is under way on the disk and in the thread pool end. */
async function settleDisk(): Promise<void> {
  for (let quiet = 0, look = 0; quiet < 3 && look < 1000; look++) {
    await realSleep(1);
    const isBusy =
      isSigning() ||
      process.getActiveResourcesInfo().some((name) => name.endsWith('ReqPromise') || name === 'CloseReq');
    quiet = isBusy ? 0 : quiet + 1;
  }
}
