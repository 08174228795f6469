import { TestClient } from './client.ts';
import { kubeconfig } from './kubeconfig.ts';
import type { Credentials } from './kubeconfig.ts';
import type { Authority, KeyPair, Validity } from './pki.ts';
import { bootstrapToken } from './set-up.ts';

export const adminUser = { commonName: 'admin', organizations: ['system:masters'] } as const;

/** Clients and kubeconfigs of a control plane whose one authority signs them all. */
export class Identities {
  readonly url: string;
  /** PEM. */
  readonly ca: string;
  readonly client: TestClient;
  readonly #authority: Authority;
  readonly #admin: KeyPair;
  readonly #clients: TestClient[] = [];

  constructor(url: string, authority: Authority, admin: KeyPair) {
    this.url = url;
    this.ca = authority.certificate;
    this.#authority = authority;
    this.#admin = admin;
    this.client = this.#newClient(admin);
  }

  async clientAs(user: string, groups: readonly string[] = [], validity: Validity = {}): Promise<TestClient> {
    return this.#newClient(await this.#issue(user, groups, validity));
  }

  clientWithToken(token: string | undefined): TestClient {
    return this.#newClient(token === undefined ? undefined : { token });
  }

  async adminKubeconfig(): Promise<string> {
    return kubeconfig(this.url, this.ca, this.#admin);
  }

  async kubeletKubeconfig(nodeName: string, validity: Validity = {}): Promise<string> {
    return this.userKubeconfig(`system:node:${nodeName}`, ['system:nodes'], validity);
  }

  async userKubeconfig(
    user: string,
    groups: readonly string[] = [],
    validity: Validity = {},
  ): Promise<string> {
    return kubeconfig(this.url, this.ca, await this.#issue(user, groups, validity));
  }

  async bootstrapKubeconfig(): Promise<string> {
    return kubeconfig(this.url, this.ca, { token: `${bootstrapToken.id}.${bootstrapToken.secret}` });
  }

  /** The admin's, by another address of the server. */
  protected clientAt(url: string): TestClient {
    const client = new TestClient(url, this.ca, this.#admin);
    this.#clients.push(client);
    return client;
  }

  protected closeClients(): void {
    for (const client of this.#clients) client.close();
  }

  #newClient(credentials: Credentials | undefined): TestClient {
    const client = new TestClient(this.url, this.ca, credentials);
    this.#clients.push(client);
    return client;
  }

  #issue(commonName: string, organizations: readonly string[], validity: Validity): Promise<KeyPair> {
    return this.#authority.issue({ commonName, organizations, usage: 'client', ...validity });
  }
}
