import { join } from 'node:path';
import { readText } from '#host/files.ts';
import { asError, codeOf } from '#lib/errors.ts';
import type { Logger } from '#lib/logger.ts';
import type { Credential } from './credential.ts';
import { DockerConfigError, parseDockerConfigJson, parseDockercfg } from './docker-config.ts';
import type { DockerConfig } from './docker-config.ts';
import { Keyring } from './keyring.ts';

/** Where the node's docker credentials may be; the first file that can be read is the only one used. */
export interface NodeCredentialPaths {
  /** `config.json` files, looked for first. */
  json: string[];
  /** `.dockercfg` files. */
  legacy: string[];
}

/** Upstream's places in upstream's order; `home` is $HOME, undefined where there is none. */
export function nodeCredentialPaths(root: string, home: string | undefined): NodeCredentialPaths {
  const homes = home === undefined || home === '' ? [] : [home];
  return {
    json: [root, ...[...homes, '/'].map((folder) => join(folder, '.docker'))].map((folder) =>
      join(folder, 'config.json'),
    ),
    legacy: [root, ...homes, '/'].map((folder) => join(folder, '.dockercfg')),
  };
}

/** The registry logins that an administrator gave to the whole node. */
export class NodeCredentials {
  readonly #files: { path: string; parse: (text: string) => DockerConfig }[];
  readonly #logger: Logger;
  /** What was last said about a file, so that a standing problem is logged once. */
  readonly #said = new Map<string, string>();

  constructor(paths: NodeCredentialPaths, logger: Logger) {
    this.#files = [
      ...paths.json.map((path) => ({ path, parse: parseDockerConfigJson })),
      ...paths.legacy.map((path) => ({ path, parse: parseDockercfg })),
    ];
    this.#logger = logger;
  }

  /** The logins for a repository, most specific first. The files are read each time: pulls are rare, changes count. */
  async lookup(repository: string): Promise<Credential[]> {
    const keyring = new Keyring();
    for (const { path, parse } of this.#files) {
      const config = await this.#read(path, parse);
      if (config === undefined) continue;
      const refused = keyring.add(config.logins, undefined);
      const problems = config.ignored.map((name) => `${name} is not supported and ignored`);
      if (refused > 0) problems.push(`${refused} of its registries are no addresses and ignored`);
      this.#say(path, problems.join('; '));
      break;
    }
    return keyring.lookup(repository);
  }

  async #read(path: string, parse: (text: string) => DockerConfig): Promise<DockerConfig | undefined> {
    try {
      const text = await readText(path);
      if (text === undefined) this.#say(path, '');
      return text === undefined ? undefined : parse(text);
    } catch (thrown) {
      const problem = thrown instanceof DockerConfigError ? thrown.message : codeOf(thrown);
      this.#say(path, `ignored: ${problem ?? asError(thrown).name}`);
      return undefined;
    }
  }

  #say(file: string, problem: string): void {
    if ((this.#said.get(file) ?? '') === problem) return;
    this.#said.set(file, problem);
    if (problem !== '') this.#logger.warn({ file, problem }, `docker credentials: ${problem}`);
  }
}
