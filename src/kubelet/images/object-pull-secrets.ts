import { asError } from '#lib/errors.ts';
import { type ReferencedObjects, secretValue } from '#lib/kube/referenced.ts';
import type { Secret } from '#lib/kube/types.ts';
import type { Logger } from '#lib/logger.ts';
import type { RegistryLogin } from './credential.ts';
import {
  type DockerConfig,
  DockerConfigError,
  parseDockerConfigJson,
  parseDockercfg,
} from './docker-config.ts';
import type { PullSecret, PullSecrets } from './pull-secrets.ts';

/** By the Secret's type: the key that holds the logins, and how to read them. */
const TYPES: Readonly<Record<string, { key: string; parse: (text: string) => DockerConfig }>> = {
  'kubernetes.io/dockerconfigjson': { key: '.dockerconfigjson', parse: parseDockerConfigJson },
  'kubernetes.io/dockercfg': { key: '.dockercfg', parse: parseDockercfg },
};

/** Pull secrets of the API's pods: Secrets of their namespace. */
export class ObjectPullSecrets implements PullSecrets {
  readonly #objects: Pick<ReferencedObjects, 'secret'>;
  readonly #logger: Logger;
  /** What was said last of each, so that it is said once. */
  readonly #said = new Map<string, string>();

  constructor(objects: Pick<ReferencedObjects, 'secret'>, logger: Logger) {
    this.#objects = objects;
    this.#logger = logger;
  }

  find(namespace: string, name: string): Promise<PullSecret | undefined> {
    const found = this.#objects.secret(namespace, name);
    // The event that names it is its caller's.
    if (found.state !== 'present') return Promise.resolve(undefined);
    // An object of a manifest has no UID; updated in place, it is the same one for ever.
    const { uid = `local:${namespace}/${name}` } = found.object.metadata ?? {};
    const logins = this.#logins(found.object, `${namespace}/${name}`);
    return Promise.resolve(logins && { source: { uid, namespace, name }, logins });
  }

  /** Undefined for what can't be read; a Secret of another type has no logins, and nothing is said of it, as upstream. */
  #logins(secret: Secret, where: string): PullSecret['logins'] | undefined {
    const type = TYPES[secret.type ?? ''];
    const text = type && secretValue(secret, type.key)?.toString();
    try {
      const logins = type === undefined || !text ? new Map<string, RegistryLogin>() : type.parse(text).logins;
      this.#said.delete(where);
      return logins;
    } catch (thrown) {
      // Only this error is sure not to quote what it read.
      this.#say(where, thrown instanceof DockerConfigError ? thrown.message : asError(thrown).name);
      return undefined;
    }
  }

  #say(where: string, problem: string): void {
    if (this.#said.get(where) === problem) return;
    this.#said.set(where, problem);
    this.#logger.warn({ secret: where, problem }, `pull secret ${where}: ${problem}`);
  }
}
