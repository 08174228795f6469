import { readText } from '#host/files.ts';
import { abortable } from '#lib/abortable.ts';
import type { Clock } from '#lib/clock.ts';
import type { Logger } from '#lib/logger.ts';
import type { Credentials, Identity, TlsMaterial } from '../credentials.ts';
import { runExecPlugin } from './exec-plugin.ts';
import type { ExecCredential } from './exec-plugin.ts';
import { KubeconfigError } from './fields.ts';
import { parseKubeconfig } from './parse.ts';
import type { Kubeconfig } from './parse.ts';
import { TlsSource, unreadable } from './tls-source.ts';
import { TrackedFile } from './tracked-file.ts';

export interface KubeconfigCredentialsOptions {
  clock: Clock;
  logger: Logger;
  /** For exec plugins. */
  env: Readonly<NodeJS.ProcessEnv>;
  /** Milliseconds between two looks at the files; 3000 unless given. */
  lookMs?: number;
}

/** A token is read again after this, however its file looks: upstream caches it as long. */
const TOKEN_MS = 60_000;
/** A refusal of everything must not run a plugin in a loop. */
const REFUSED_EXEC_MS = 5000;

/** Reads a kubeconfig. Rejects with KubeconfigError, which names file, field and mend. */
export async function loadKubeconfig(file: string): Promise<Kubeconfig> {
  let text: string | undefined;
  try {
    text = await readText(file);
  } catch (cause) {
    throw new KubeconfigError(`${file}: cannot be read`, { cause });
  }
  if (text === undefined) throw new KubeconfigError(`${file}: there is no such file; name a kubeconfig`);
  return parseKubeconfig(text, file);
}

/** A kubeconfig's identity; certificate, key, CA and token files are followed, exec plugins run when needed. */
export class KubeconfigCredentials implements Credentials {
  readonly server: URL;
  readonly #kubeconfig: Kubeconfig;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #env: Readonly<NodeJS.ProcessEnv>;
  readonly #lookMs: number;
  readonly #tlsSource: TlsSource;
  readonly #tokenFile: TrackedFile | undefined;
  readonly #listeners = new Set<() => void>();
  #identity: Identity | undefined;
  #lookedAt = -Infinity;
  #looking: Promise<Identity> | undefined;
  /** What was last read of the token file. */
  #token: string | undefined;
  #warned = '';
  #exec: ExecCredential | undefined;
  #execAt = -Infinity;
  /** A certificate of a plugin, joined to the rest; equal while both are. */
  #joined: { tls: TlsMaterial; cert: string; result: TlsMaterial } | undefined;

  constructor(kubeconfig: Kubeconfig, options: KubeconfigCredentialsOptions) {
    this.server = kubeconfig.cluster.server;
    this.#kubeconfig = kubeconfig;
    this.#clock = options.clock;
    this.#logger = options.logger;
    this.#env = options.env;
    this.#lookMs = options.lookMs ?? 3000;
    this.#tlsSource = new TlsSource(kubeconfig, options.logger);
    const { tokenFile } = kubeconfig.user;
    this.#tokenFile = tokenFile === undefined ? undefined : new TrackedFile(tokenFile, TOKEN_MS);
  }

  async current(signal: AbortSignal): Promise<Identity> {
    signal.throwIfAborted();
    if (this.#identity !== undefined && !this.#isDue()) return this.#identity;
    return abortable(this.#look(false), signal);
  }

  async refused(identity: Identity, signal: AbortSignal): Promise<boolean> {
    if (this.#identity !== undefined && this.#identity !== identity) return true;
    // A look that is under way may have begun before the refusal.
    if (this.#looking !== undefined) await abortable(this.#looking, signal).catch(() => undefined);
    signal.throwIfAborted();
    if (this.#identity !== undefined && this.#identity !== identity) return true;
    return (await abortable(this.#look(true), signal)) !== identity;
  }

  onTlsChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  #isDue(): boolean {
    return this.#clock.monotonic() - this.#lookedAt >= this.#lookMs || this.#hasExpired();
  }

  #hasExpired(): boolean {
    const expiresAt = this.#exec?.expiresAt;
    return expiresAt !== undefined && this.#clock.now() >= expiresAt;
  }

  #look(force: boolean): Promise<Identity> {
    this.#looking ??= this.#refresh(force).finally(() => {
      this.#looking = undefined;
    });
    return this.#looking;
  }

  async #refresh(force: boolean): Promise<Identity> {
    const now = this.#clock.monotonic();
    const { user } = this.#kubeconfig;
    let tls = await this.#tlsSource.read(now);
    const authorization = await this.#staticAuthorization(now, force);
    let bearer: string | undefined;
    if (user.exec !== undefined) {
      const exec = await this.#runExec(tls, force);
      bearer = exec.token === undefined ? undefined : `Bearer ${exec.token}`;
      tls = this.#join(tls, exec);
    }
    this.#lookedAt = now;
    return this.#take(tls, authorization ?? bearer);
  }

  async #staticAuthorization(now: number, force: boolean): Promise<string | undefined> {
    const { user } = this.#kubeconfig;
    if (user.basic !== undefined) {
      const pair = `${user.basic.username}:${user.basic.password}`;
      return `Basic ${Buffer.from(pair).toString('base64')}`;
    }
    if (this.#tokenFile !== undefined) this.#token = await this.#readToken(this.#tokenFile, now, force);
    const token = this.#token ?? user.token;
    return token === undefined ? undefined : `Bearer ${token}`;
  }

  async #readToken(file: TrackedFile, now: number, force: boolean): Promise<string> {
    try {
      const token = (await file.read(now, force)).trim();
      if (token === '' || /[^\x21-\x7e]/.test(token)) {
        throw new KubeconfigError(
          `${this.#kubeconfig.file}: user.tokenFile: ${file.path} holds no token; write one there`,
        );
      }
      this.#warned = '';
      return token;
    } catch (cause) {
      const error =
        cause instanceof KubeconfigError
          ? cause
          : unreadable(this.#kubeconfig.file, 'user.tokenFile', file.path, cause);
      const last = this.#token ?? this.#kubeconfig.user.token;
      if (last === undefined) throw error;
      const reason = error.message;
      if (reason !== this.#warned) {
        this.#logger.warn({ reason }, 'the token cannot be read again; going on with the older one');
      }
      this.#warned = reason;
      return last;
    }
  }

  async #runExec(tls: TlsMaterial, force: boolean): Promise<ExecCredential> {
    const { user, cluster } = this.#kubeconfig;
    const now = this.#clock.monotonic();
    const usable = this.#exec !== undefined && !this.#hasExpired();
    if (user.exec === undefined || (usable && !(force && now - this.#execAt >= REFUSED_EXEC_MS))) {
      return this.#exec ?? { token: undefined, cert: undefined, key: undefined, expiresAt: undefined };
    }
    this.#execAt = now;
    this.#exec = await runExecPlugin(user.exec, { cluster, ca: tls.ca, env: this.#env });
    return this.#exec;
  }

  #join(tls: TlsMaterial, { cert, key }: ExecCredential): TlsMaterial {
    if (cert === undefined || key === undefined) return tls;
    if (this.#joined?.tls !== tls || this.#joined.cert !== cert) {
      this.#joined = { tls, cert, result: { ...tls, cert, key } };
    }
    return this.#joined.result;
  }

  #take(tls: TlsMaterial, authorization: string | undefined): Identity {
    const before = this.#identity;
    if (before?.tls === tls && before.headers['authorization'] === authorization) return before;
    const { headers } = this.#kubeconfig.user;
    const identity = { tls, headers: authorization === undefined ? headers : { ...headers, authorization } };
    this.#identity = identity;
    if (before !== undefined && before.tls !== tls) {
      this.#logger.info({}, 'new TLS credentials for the API server; connections are made anew');
      for (const listener of this.#listeners) listener();
    }
    return identity;
  }
}
