import { X509Certificate } from 'node:crypto';
import { describeError } from '#lib/errors.ts';
import type { NodeletError } from '#lib/errors.ts';
import type { Logger } from '#lib/logger.ts';
import type { TlsMaterial } from '../credentials.ts';
import { isPair } from './exec-plugin.ts';
import { KubeconfigError } from './fields.ts';
import type { Kubeconfig, PemSource } from './parse.ts';
import { TrackedFile } from './tracked-file.ts';

/** Certificates and keys of a kubeconfig, read again when their files change. */
export class TlsSource {
  readonly #kubeconfig: Kubeconfig;
  readonly #logger: Logger;
  readonly #files = new Map<string, TrackedFile>();
  #material: TlsMaterial | undefined;
  #warned = '';

  constructor(kubeconfig: Kubeconfig, logger: Logger) {
    this.#kubeconfig = kubeconfig;
    this.#logger = logger;
  }

  /**
   * The same object as before where nothing changed. Files that are halfway through a change, or broken, don't replace
   * material that was good; without any, rejects with KubeconfigError.
   */
  async read(now: number): Promise<TlsMaterial> {
    try {
      const next = await this.#load(now);
      if (this.#material === undefined || !sameMaterial(this.#material, next)) this.#material = next;
      this.#warned = '';
    } catch (error) {
      if (this.#material === undefined) throw error;
      const reason = describeError(error);
      if (reason !== this.#warned) {
        this.#logger.warn(
          { reason },
          'changed certificate files cannot be used; going on with the older ones',
        );
      }
      this.#warned = reason;
    }
    return this.#material;
  }

  async #load(now: number): Promise<TlsMaterial> {
    const { cluster, user, file } = this.#kubeconfig;
    const ca = await this.#pem(cluster.ca, 'cluster.certificate-authority', now);
    const cert = await this.#pem(user.cert, 'user.client-certificate', now);
    const key = await this.#pem(user.key, 'user.client-key', now);
    if (ca !== undefined && !isCertificate(ca)) {
      throw new KubeconfigError(
        `${file}: cluster.certificate-authority: holds no certificate; name a PEM file`,
      );
    }
    if (cert !== undefined && key !== undefined && !isPair(cert, key)) {
      throw new KubeconfigError(
        `${file}: user.client-certificate and client-key: are no certificate with its key; name PEM files that belong together`,
      );
    }
    return { ca, cert, key, serverName: cluster.serverName, insecure: cluster.insecure };
  }

  async #pem(source: PemSource | undefined, field: string, now: number): Promise<string | undefined> {
    if (source === undefined) return undefined;
    if ('data' in source) return source.data;
    let file = this.#files.get(source.file);
    if (file === undefined) this.#files.set(source.file, (file = new TrackedFile(source.file)));
    try {
      return await file.read(now);
    } catch (cause) {
      throw unreadable(this.#kubeconfig.file, field, source.file, cause);
    }
  }
}

/** For a file that a kubeconfig names. */
export function unreadable(file: string, field: string, path: string, cause: unknown): NodeletError {
  const why = (cause as NodeJS.ErrnoException).code === 'ENOENT' ? 'is not there' : 'cannot be read';
  return new KubeconfigError(`${file}: ${field}: ${path} ${why}; mend the path or the file`, { cause });
}

function isCertificate(pem: string): boolean {
  try {
    return new X509Certificate(pem).raw.length > 0;
  } catch {
    return false;
  }
}

const sameMaterial = (a: TlsMaterial, b: TlsMaterial): boolean =>
  a.ca === b.ca &&
  a.cert === b.cert &&
  a.key === b.key &&
  a.serverName === b.serverName &&
  a.insecure === b.insecure;
