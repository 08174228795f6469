import { extname, join } from 'node:path';
import { listDir, readText } from '#host/files.ts';
import { findProgram } from '#host/find-program.ts';
import { run } from '#host/process.ts';
import type { Clock } from '#lib/clock.ts';
import { codeOf, describeError } from '#lib/errors.ts';
import type { AgentPod } from '#lib/kube/types.ts';
import type { Logger } from '#lib/logger.ts';
import type { Credential } from '../credential.ts';
import { Keyring } from '../keyring.ts';
import { CredentialProviderConfigError, parseProviderConfig, refuseTwice } from './config.ts';
import type { ProviderConfig } from './config.ts';
import { CredentialProvider } from './provider.ts';
import type { ServiceAccounts } from './provider.ts';
import { CredentialProviderError, decodeAnswer, encodeRequest } from './response.ts';
import type { ProviderAnswer, ProviderRequest } from './response.ts';

export interface CredentialProvidersOptions {
  /** --image-credential-provider-config: a file, or a folder of *.json, *.yaml and *.yml files. */
  configPath: string;
  /** --image-credential-provider-bin-dir */
  binDir: string;
  accounts: ServiceAccounts | undefined;
  clock: Clock;
  logger: Logger;
}

/** As upstream: enough for a program that tries again by itself. */
const ANSWER_MS = 60_000;

/** The programs that give registry logins to the node and to its pods. */
export class CredentialProviders {
  readonly #providers: readonly CredentialProvider[];
  readonly #logger: Logger;

  constructor(providers: readonly CredentialProvider[], logger: Logger) {
    this.#providers = providers;
    this.#logger = logger;
  }

  /** Every provider's logins for a repository. One that fails is logged and gives none: another may have them. */
  async lookup(pod: AgentPod, repository: string): Promise<Credential[]> {
    const found = await Promise.all(
      this.#providers.map(async (provider) => {
        try {
          const { logins, account } = await provider.lookup(pod, repository);
          const keyring = new Keyring();
          keyring.add(logins, undefined, account);
          return keyring.lookup(repository);
        } catch (error) {
          this.#logger.error(
            {
              provider: provider.name,
              image: repository,
              uid: pod.metadata.uid,
              problem: describeError(error),
            },
            'the image credential provider gave no login',
          );
          return [];
        }
      }),
    );
    return found.flat();
  }
}

/** Reads the configuration and finds the programs. Throws CredentialProviderConfigError: the agent must not start. */
export async function loadCredentialProviders(
  options: CredentialProvidersOptions,
): Promise<CredentialProviders> {
  const { binDir, accounts, clock, logger } = options;
  const configs = await readConfigs(options.configPath);
  const providers: CredentialProvider[] = [];
  for (const config of configs) {
    const program = await findProgram(config.name, [binDir]);
    if (program === undefined) {
      throw new CredentialProviderConfigError(
        `credential provider ${JSON.stringify(config.name)}: there is no executable file ${join(binDir, config.name)}; ` +
          'install it there, or set --image-credential-provider-bin-dir',
      );
    }
    providers.push(
      new CredentialProvider({ config, accounts, clock, ask: (request) => ask(program, config, request) }),
    );
  }
  return new CredentialProviders(providers, logger);
}

const isConfigFile = (name: string): boolean => ['.json', '.yaml', '.yml'].includes(extname(name));

async function readConfigs(path: string): Promise<ProviderConfig[]> {
  const entries = await listDir(path).catch((error: unknown) => {
    if (codeOf(error) === 'ENOTDIR') return undefined;
    throw error;
  });
  const files =
    entries === undefined
      ? [path]
      : entries
          .filter((entry) => !entry.isDirectory() && isConfigFile(entry.name))
          .map((entry) => join(path, entry.name))
          .sort();
  if (files.length === 0) {
    throw new CredentialProviderConfigError(`${path}: the folder has no *.json, *.yaml or *.yml file`);
  }
  const configs: ProviderConfig[] = [];
  for (const file of files) {
    const text = await readText(file);
    if (text === undefined) {
      throw new CredentialProviderConfigError(
        `${file}: there is no such file; mend --image-credential-provider-config`,
      );
    }
    configs.push(...parseProviderConfig(text, file));
  }
  refuseTwice(configs, path);
  return configs;
}

async function ask(
  program: string,
  { apiVersion, args, env }: ProviderConfig,
  request: ProviderRequest,
): Promise<ProviderAnswer> {
  let stdout: string;
  try {
    ({ stdout } = await run(program, args, {
      input: encodeRequest(apiVersion, request),
      timeoutMs: ANSWER_MS,
      env: { ...process.env, ...env },
      maxOutput: 1 << 20,
    }));
  } catch (error) {
    throw new CredentialProviderError(describeError(error), { retryable: true });
  }
  return decodeAnswer(stdout, apiVersion);
}
