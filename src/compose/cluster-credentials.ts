/** The API client's credentials as the node's identity has them at the moment. */
import type { Credentials, Identity } from '#api/credentials.ts';
import type { IdentityManager } from '#api/identity/manager.ts';
import type { ClientAccess } from '#api/identity/access.ts';
import { KubeconfigCredentials, loadKubeconfig } from '#api/kubeconfig/kubeconfig-credentials.ts';
import { abortable } from '#lib/abortable.ts';
import type { Clock } from '#lib/clock.ts';
import { ApiError } from '#lib/kube/api-error.ts';
import type { Logger } from '#lib/logger.ts';

/** The credentials that an identity leads to: its kubeconfig, with the store's certificate where that stands in. */
export async function credentialsOf(
  { kubeconfigPath, clientCertificatePath }: ClientAccess,
  clock: Clock,
  logger: Logger,
): Promise<KubeconfigCredentials> {
  const kubeconfig = await loadKubeconfig(kubeconfigPath);
  const options = { clock, logger, env: process.env };
  if (clientCertificatePath === undefined) return new KubeconfigCredentials(kubeconfig, options);
  const pair = { file: clientCertificatePath };
  const user = {
    ...kubeconfig.user,
    cert: pair,
    key: pair,
    token: undefined,
    tokenFile: undefined,
    basic: undefined,
    headers: {},
    exec: undefined,
  };
  return new KubeconfigCredentials({ ...kubeconfig, user }, options);
}

/**
 * Waits for the identity where there is none yet: calls made before a bootstrap has come to its end simply take longer,
 * so that nothing of the agent has to wait for it to be built.
 */
export class IdentityCredentials implements Credentials {
  readonly server: URL;
  readonly #identity: IdentityManager;
  readonly #make: (access: ClientAccess) => Promise<KubeconfigCredentials>;
  readonly #listeners = new Set<() => void>();
  #inner: Promise<KubeconfigCredentials>;
  #unsubscribe: () => void = () => undefined;

  /** `established` is what `identity.establish` gave. */
  constructor(
    server: URL,
    identity: IdentityManager,
    established: Promise<ClientAccess>,
    make: (access: ClientAccess) => Promise<KubeconfigCredentials>,
  ) {
    this.server = server;
    this.#identity = identity;
    this.#make = make;
    this.#inner = established.then((access) => this.#follow(access));
    this.#inner.catch(() => undefined);
    identity.onChange(() => {
      const { access } = identity;
      if (access === undefined) return;
      this.#inner = this.#follow(access);
      this.#inner.then(
        () => this.#tell(),
        () => undefined,
      );
    });
  }

  async current(signal: AbortSignal): Promise<Identity> {
    return (await abortable(this.#inner, signal)).current(signal);
  }

  async refused(identity: Identity, signal: AbortSignal): Promise<boolean> {
    const inner = await abortable(this.#inner, signal);
    if (await inner.refused(identity, signal)) return true;
    this.#identity.refused(
      new ApiError({
        status: 401,
        reason: 'Unauthorized',
        message: 'the API server refused the credentials',
      }),
    );
    return false;
  }

  onTlsChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  async #follow(access: ClientAccess): Promise<KubeconfigCredentials> {
    const inner = await this.#make(access);
    this.#unsubscribe();
    this.#unsubscribe = inner.onTlsChange(() => this.#tell());
    return inner;
  }

  #tell(): void {
    for (const listener of this.#listeners) listener();
  }
}
