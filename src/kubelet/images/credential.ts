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

/**
 * A registry login and where it comes from. The login itself is private, so that neither a logger nor
 * JSON.stringify can print it.
 */
export class Credential {
  readonly #login: RegistryLogin;
  /** Undefined for the node's own credentials, which every pod of the node may use. */
  readonly source: SecretSource | undefined;
  /** SHA-256 of the login's JSON as upstream hashes it: what the records of pulled images keep. */
  readonly hash: string;

  constructor(login: RegistryLogin, source: SecretSource | undefined) {
    this.#login = login;
    this.source = source;
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
