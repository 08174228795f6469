import type { AgentPod } from '#lib/kube/types.ts';
import { isStaticPod } from '../objects/static-pods.ts';
import type { Credential } from './credential.ts';
import { Keyring } from './keyring.ts';
import type { NodeCredentials } from './node-credentials.ts';
import type { CredentialProviders } from './providers/providers.ts';
import type { PullSecrets } from './pull-secrets.ts';

export interface PodCredentialSet {
  /** In the order in which to try them: those of the pod's secrets, the node's, the providers'. Empty: pull without. */
  candidates: Credential[];
  /** Names of the pod's pull secrets that can't be used. */
  missing: string[];
}

export interface PodCredentialParts {
  /** The pull secrets of static pods. */
  secrets: PullSecrets;
  /** Those of the API's pods; the same unless given. */
  ofApi?: PullSecrets | undefined;
  node: NodeCredentials;
  providers?: Pick<CredentialProviders, 'lookup'> | undefined;
}

/** What a pod may log in to a registry with. */
export class PodCredentials {
  readonly #parts: PodCredentialParts;

  constructor(parts: PodCredentialParts) {
    this.#parts = parts;
  }

  async lookup(pod: AgentPod, repository: string): Promise<PodCredentialSet> {
    const keyring = new Keyring();
    const missing: string[] = [];
    const { ofApi, ...own } = this.#parts;
    const secrets = isStaticPod(pod) ? own.secrets : (ofApi ?? own.secrets);
    for (const { name } of pod.spec.imagePullSecrets ?? []) {
      // The API server has let entries without a name through; they mean nothing.
      if (name === undefined || name === '') continue;
      const secret = await secrets.find(pod.metadata.namespace, name);
      if (secret === undefined) missing.push(name);
      else keyring.add(secret.logins, secret.source);
    }
    return {
      candidates: [
        ...keyring.lookup(repository),
        ...(await own.node.lookup(repository)),
        ...((await own.providers?.lookup(pod, repository)) ?? []),
      ],
      missing,
    };
  }
}

/** The warning that goes with `missing`, in upstream's words. */
export const missingSecretsMessage = (missing: readonly string[]): string =>
  `Unable to retrieve some image pull secrets (${missing.join(', ')}); attempting to pull the image may not succeed.`;
