import { createHash } from 'node:crypto';
import type { AuthConfig } from '#cri/types.ts';
import { goJson } from './go-text.ts';

/** What one entry of a docker configuration file says; an absent part is an empty string. */
export interface RegistryLogin {
  username: string;
  password: string;
  email: string;
  identityToken: string;
  registryToken: string;
}

/** The Secret that a credential comes from. */
export interface SecretSource {
  uid: string;
  namespace: string;
  name: string;
}

/** The service account that a login was made for. */
export type ServiceAccountSource = SecretSource;

/**
 * A registry login and where it comes from. The login itself is private, so that neither a logger nor
 * JSON.stringify can print it.
 */
export class Credential {
  readonly #login: RegistryLogin;
  /** Undefined for what comes from no Secret: the node's own credentials, and a provider's. */
  readonly source: SecretSource | undefined;
  /** Set where a credential provider gave it to the pod's service account. */
  readonly account: ServiceAccountSource | undefined;
  /** SHA-256 of the login's JSON as upstream hashes it: what the records of pulled images keep. */
  readonly hash: string;

  constructor(login: RegistryLogin, source: SecretSource | undefined, account?: ServiceAccountSource) {
    this.#login = login;
    this.source = source;
    this.account = account;
    this.hash = hashLogin(login);
  }

  /** As CRI takes it. */
  authConfig(): AuthConfig {
    const { username, password, identityToken, registryToken } = this.#login;
    return {
      ...(username !== '' && { username }),
      ...(password !== '' && { password }),
      ...(identityToken !== '' && { identityToken }),
      ...(registryToken !== '' && { registryToken }),
    };
  }

  /** `text` with every secret of this login (in clear or base64) blotted out. */
  redact(text: string): string {
    const { username, password, identityToken, registryToken } = this.#login;
    const basic = Buffer.from(`${username}:${password}`).toString('base64');
    return [basic, password, identityToken, registryToken]
      .filter((secret) => secret.length >= SHORTEST_SECRET)
      .flatMap((secret) => [secret, encodeURIComponent(secret)])
      .reduce((clean, secret) => clean.replaceAll(secret, '[redacted]'), text);
  }
}

/** Blotting out what is shorter would garble ordinary words without hiding anything worth hiding. */
const SHORTEST_SECRET = 4;

/** The order of fields and the lower-case names are those of upstream's AuthConfig; empty ones are left out. */
function hashLogin(login: RegistryLogin): string {
  const fields = {
    username: login.username,
    password: login.password,
    email: login.email,
    identitytoken: login.identityToken,
    registrytoken: login.registryToken,
  };
  const given = Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== ''));
  return createHash('sha256').update(goJson(given)).digest('hex');
}
