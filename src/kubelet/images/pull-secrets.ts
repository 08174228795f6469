import { join } from 'node:path';
import { readText, statOf } from '#host/files.ts';
import { asError, codeOf } from '#lib/errors.ts';
import type { Logger } from '#lib/logger.ts';
import { PathSegmentError, safeSegment } from '#lib/path-segment.ts';
import type { RegistryLogin, SecretSource } from './credential.ts';
import { DockerConfigError, parseDockerConfigJson } from './docker-config.ts';

export interface PullSecret {
  source: SecretSource;
  logins: ReadonlyMap<string, RegistryLogin>;
}

/** The Secrets that `imagePullSecrets` names. */
export interface PullSecrets {
  /** The Secret's logins, or undefined where there is none that can be used; says why itself. */
  find(namespace: string, name: string): Promise<PullSecret | undefined>;
}

/**
 * Pull secrets as files: `DIR/NAMESPACE/NAME.json`, in the format of docker's config.json. For static pods, which
 * can't use the API's Secrets. Files that others than their owner can read are refused.
 */
export class FilePullSecrets implements PullSecrets {
  readonly #dir: string;
  readonly #logger: Logger;
  readonly #said = new Map<string, string>();

  constructor(dir: string, logger: Logger) {
    this.#dir = dir;
    this.#logger = logger;
  }

  async find(namespace: string, name: string): Promise<PullSecret | undefined> {
    let file = this.#dir;
    try {
      file = join(
        this.#dir,
        safeSegment(namespace, 'namespace'),
        safeSegment(`${name}.json`, 'pull secret file'),
      );
      const logins = await this.#read(file);
      // Updated in place, as a Secret is, so its identity doesn't follow its content.
      return logins && { source: { uid: `file:${namespace}/${name}`, namespace, name }, logins };
    } catch (thrown) {
      const own = thrown instanceof DockerConfigError || thrown instanceof PathSegmentError;
      this.#say(file, own ? thrown.message : (codeOf(thrown) ?? asError(thrown).name));
      return undefined;
    }
  }

  async #read(file: string): Promise<ReadonlyMap<string, RegistryLogin> | undefined> {
    const stat = await statOf(file);
    if (stat === undefined) {
      this.#say(file, 'there is no such file');
      return undefined;
    }
    const mode = (stat.mode & 0o777).toString(8).padStart(4, '0');
    if (!stat.isFile()) this.#say(file, "isn't a regular file");
    else if ((stat.mode & 0o077) !== 0) {
      this.#say(file, `has mode ${mode}: only its owner may read it; change it to 0600`);
    } else {
      const config = parseDockerConfigJson((await readText(file)) ?? '');
      this.#say(file, config.ignored.map((field) => `${field} is not supported and ignored`).join('; '));
      return config.logins;
    }
    return undefined;
  }

  #say(file: string, problem: string): void {
    if ((this.#said.get(file) ?? '') === problem) return;
    this.#said.set(file, problem);
    if (problem !== '') this.#logger.warn({ file, problem }, `pull secret: ${problem}`);
  }
}

/** Of several places the first that has a Secret of the name. */
export class FirstPullSecrets implements PullSecrets {
  readonly #places: readonly PullSecrets[];

  constructor(...places: readonly PullSecrets[]) {
    this.#places = places;
  }

  async find(namespace: string, name: string): Promise<PullSecret | undefined> {
    for (const place of this.#places) {
      const found = await place.find(namespace, name);
      if (found !== undefined) return found;
    }
    return undefined;
  }
}

/** Where a static pod's pull secrets are, below the agent's root folder. */
export const pullSecretsDir = (root: string): string => join(root, 'pull-secrets');
