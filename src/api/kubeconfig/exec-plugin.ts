import { X509Certificate, createPrivateKey } from 'node:crypto';
import { ProcessError, run } from '#host/process.ts';
import { NodeletError } from '#lib/errors.ts';
import type { ExecConfig } from './exec-config.ts';
import type { KubeconfigCluster } from './parse.ts';

/** A credential plugin that gave none. Its output is never part of the message. */
export class ExecPluginError extends NodeletError {
  readonly code = 'EXEC_PLUGIN';
}

export interface ExecCredential {
  token: string | undefined;
  cert: string | undefined;
  key: string | undefined;
  /** Wall milliseconds; undefined: until the server refuses it. */
  expiresAt: number | undefined;
}

export interface ExecContext {
  cluster: KubeconfigCluster;
  /** PEM, as it stands in the file now. */
  ca: string | undefined;
  /** The agent's own environment. */
  env: Readonly<NodeJS.ProcessEnv>;
}

/** Upstream has none; a plugin that hangs must not hold up the agent for ever. */
const TIMEOUT_MS = 60_000;

/** Runs the plugin. Rejects with ExecPluginError. */
export async function runExecPlugin(config: ExecConfig, context: ExecContext): Promise<ExecCredential> {
  const info = {
    kind: 'ExecCredential',
    apiVersion: config.apiVersion,
    spec: {
      interactive: false,
      ...(config.provideClusterInfo ? { cluster: clusterInfo(context) } : {}),
    },
  };
  const env = { ...context.env, ...config.env, KUBERNETES_EXEC_INFO: JSON.stringify(info) };
  try {
    const { stdout } = await run(config.command, config.args, {
      env,
      timeoutMs: TIMEOUT_MS,
      maxOutput: 1 << 20,
    });
    return parseExecCredential(stdout, config);
  } catch (cause) {
    if (cause instanceof ExecPluginError) throw cause;
    throw new ExecPluginError(`credential plugin ${config.command}: ${describe(cause, config)}`, {
      retryable: true,
    });
  }
}

/** In words of our own: a ProcessError's message holds everything that the program wrote to stderr. */
function describe(cause: unknown, config: ExecConfig): string {
  if (!(cause instanceof ProcessError)) return cause instanceof Error ? cause.message : 'failed';
  if (cause.code === 'ENOENT') {
    const hint = config.installHint === undefined ? 'install it or mend the path' : config.installHint;
    return `is not there: ${hint}`;
  }
  if (cause.code !== 'EXIT') return `cannot be run (${cause.code})`;
  const how = cause.exitCode === undefined ? 'was killed' : `exit status ${cause.exitCode}`;
  const words = withoutSecrets(cause.stderr.trim(), config).slice(0, 500);
  return words === '' ? how : `${how}: ${words}`;
}

/** Takes out what the kubeconfig gave the program, and whatever looks like a token or key. */
function withoutSecrets(text: string, config: ExecConfig): string {
  let result = text;
  for (const value of [...Object.values(config.env), ...config.args]) {
    if (value.length >= 6) result = result.replaceAll(value, '…');
  }
  return result.replaceAll(/[A-Za-z0-9_+/=-]{32,}/g, '…');
}

function clusterInfo({ cluster, ca }: ExecContext): object {
  return {
    server: cluster.server.href.replace(/\/$/, ''),
    ...(cluster.serverName === undefined ? {} : { 'tls-server-name': cluster.serverName }),
    ...(cluster.insecure ? { 'insecure-skip-tls-verify': true } : {}),
    ...(ca === undefined ? {} : { 'certificate-authority-data': Buffer.from(ca).toString('base64') }),
    ...(cluster.execExtension === undefined ? {} : { config: cluster.execExtension }),
  };
}

export function parseExecCredential(text: string, config: ExecConfig): ExecCredential {
  const fail = (problem: string): ExecPluginError =>
    new ExecPluginError(`credential plugin ${config.command}: ${problem}`);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw fail('its output is no JSON');
  }
  const credential = (value ?? {}) as { kind?: unknown; apiVersion?: unknown; status?: unknown };
  if (credential.kind !== 'ExecCredential') throw fail('its output is no ExecCredential');
  if (credential.apiVersion !== config.apiVersion) {
    throw fail(
      `its output is of another apiVersion than ${config.apiVersion}; set exec.apiVersion to what it speaks`,
    );
  }
  const status = (credential.status ?? {}) as Record<string, unknown>;
  const string = (name: string): string | undefined => {
    const member = status[name];
    if (member === undefined || member === null || member === '') return undefined;
    if (typeof member !== 'string') throw fail(`status.${name} is no string`);
    return member;
  };
  const token = string('token');
  const cert = string('clientCertificateData');
  const key = string('clientKeyData');
  if ((cert === undefined) !== (key === undefined)) {
    throw fail('status has only one of clientCertificateData and clientKeyData');
  }
  if (token === undefined && cert === undefined) throw fail('status has neither a token nor a certificate');
  if (cert !== undefined && key !== undefined && !isPair(cert, key)) {
    throw fail('status.clientCertificateData and clientKeyData are no certificate with its key');
  }
  const expiry = string('expirationTimestamp');
  const expiresAt = expiry === undefined ? undefined : Date.parse(expiry);
  if (Number.isNaN(expiresAt)) throw fail('status.expirationTimestamp is no RFC 3339 time');
  return { token, cert, key, expiresAt };
}

/** Whether the first certificate of `cert` belongs to the private key; both PEM. */
export function isPair(cert: string, key: string): boolean {
  try {
    return new X509Certificate(cert).checkPrivateKey(createPrivateKey(key));
  } catch {
    return false;
  }
}
