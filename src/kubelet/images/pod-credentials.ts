import type { AgentPod } from '#lib/kube/types.ts';
import { isStaticPod } from '../objects/static-pods.ts';
import type { Credential } from './credential.ts';
import { Keyring } from './keyring.ts';
import type { NodeCredentials } from './node-credentials.ts';
import type { PullSecrets } from './pull-secrets.ts';

export interface PodCredentialSet {
  /** In the order in which to try them: those of the pod's secrets, then the node's. Empty: pull without. */
  candidates: Credential[];
  /** Names of the pod's pull secrets that can't be used. */
  missing: string[];
}

/** What a pod may log in to a registry with. */
export class PodCredentials {
  readonly #secrets: PullSecrets;
  readonly #node: NodeCredentials;
  readonly #ofApi: PullSecrets;

  /** `secrets` are those of static pods; `ofApi` those of the API's pods, the same unless given. */
  constructor(secrets: PullSecrets, node: NodeCredentials, ofApi: PullSecrets = secrets) {
    this.#secrets = secrets;
    this.#node = node;
    this.#ofApi = ofApi;
  }

  async lookup(pod: AgentPod, repository: string): Promise<PodCredentialSet> {
    const keyring = new Keyring();
    const missing: string[] = [];
    const secrets = isStaticPod(pod) ? this.#secrets : this.#ofApi;
    for (const { name } of pod.spec.imagePullSecrets ?? []) {
      // The API server has let entries without a name through; they mean nothing.
      if (name === undefined || name === '') continue;
      const secret = await secrets.find(pod.metadata.namespace, name);
      if (secret === undefined) missing.push(name);
      else keyring.add(secret.logins, secret.source);
    }
    return {
      candidates: [...keyring.lookup(repository), ...(await this.#node.lookup(repository))],
      missing,
    };
  }
}

/** The warning that goes with `missing`, in upstream's words. */
export const missingSecretsMessage = (missing: readonly string[]): string =>
  `Unable to retrieve some image pull secrets (${missing.join(', ')}); attempting to pull the image may not succeed.`;
