import { writeDurable } from '#host/durable-files.ts';
import { readText } from '#host/files.ts';
import { describeError } from '#lib/errors.ts';
import { dirname, resolve } from 'node:path';
import { parse, stringify } from 'yaml';
import { ensureFolder } from './cert-dir.ts';
import { KubeconfigError } from './errors.ts';
import { parsePair } from './key-pair.ts';
import type { CheckedPair } from './key-pair.ts';

/** The cluster of a kubeconfig's current context, in the file's own words; paths are absolute. */
export interface Cluster {
  server: string;
  'certificate-authority'?: string;
  'certificate-authority-data'?: string;
  'insecure-skip-tls-verify'?: boolean;
  'tls-server-name'?: string;
  'proxy-url'?: string;
}

/** What identity asks of a kubeconfig; the API client reads the rest itself. */
export interface Kubeconfig {
  cluster: Cluster;
  client:
    | { kind: 'pair'; pair: CheckedPair; certPath: string | undefined }
    /** A certificate is named and can't be used. */
    | { kind: 'broken'; error: KubeconfigError }
    /** A token, a password, a command, or nothing. */
    | { kind: 'other' };
}

/** Undefined where there is no file. Rejects with KubeconfigError. */
export async function readKubeconfig(path: string): Promise<Kubeconfig | undefined> {
  let text: string | undefined;
  try {
    text = await readText(path);
  } catch (cause) {
    throw new KubeconfigError(`kubeconfig ${path} can't be read`, { cause, retryable: true });
  }
  if (text === undefined) return undefined;
  const { cluster, user } = currentContext(text, path);
  return { cluster: clusterOf(cluster, path), client: await clientOf(user, path) };
}

type Fields = Record<string, unknown>;

const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function fault(path: string, words: string, cause?: unknown): KubeconfigError {
  return new KubeconfigError(`kubeconfig ${path}: ${words}`, { cause, retryable: true });
}

function currentContext(text: string, path: string): { cluster: Fields; user: Fields } {
  let config: unknown;
  try {
    config = parse(text);
  } catch {
    // The parser's words quote the file, which holds secrets.
    throw fault(path, 'not YAML');
  }
  if (!isFields(config)) throw fault(path, 'not a kubeconfig: it holds no fields');
  const named = (list: string, name: unknown, field: string): Fields => {
    const entries = config[list];
    const entry = Array.isArray(entries)
      ? entries.find((each): each is Fields => isFields(each) && each['name'] === name)
      : undefined;
    if (entry === undefined) throw fault(path, `${list} has no entry named ${JSON.stringify(name ?? '')}`);
    const value = entry[field];
    return isFields(value) ? value : {};
  };
  const context = named('contexts', config['current-context'], 'context');
  const user = context['user'];
  return {
    cluster: named('clusters', context['cluster'], 'cluster'),
    user: user === undefined || user === '' ? {} : named('users', user, 'user'),
  };
}

/** A text field; undefined where it is absent or empty, as Go has it. */
function textOf(fields: Fields, name: string, path: string): string | undefined {
  const value = fields[name];
  if (value === undefined || value === null || value === '') return undefined;
  if (typeof value !== 'string') throw fault(path, `${name} must be text`);
  return value;
}

function clusterOf(fields: Fields, path: string): Cluster {
  const server = textOf(fields, 'server', path);
  if (server === undefined) throw fault(path, 'the cluster has no server');
  const data = textOf(fields, 'certificate-authority-data', path);
  const file = textOf(fields, 'certificate-authority', path);
  const serverName = textOf(fields, 'tls-server-name', path);
  const proxy = textOf(fields, 'proxy-url', path);
  return {
    server,
    // Data wins over a file, as everywhere in a kubeconfig.
    ...(data === undefined ? {} : { 'certificate-authority-data': data }),
    ...(data !== undefined || file === undefined
      ? {}
      : { 'certificate-authority': resolve(dirname(path), file) }),
    ...(fields['insecure-skip-tls-verify'] === true ? { 'insecure-skip-tls-verify': true } : {}),
    ...(serverName === undefined ? {} : { 'tls-server-name': serverName }),
    ...(proxy === undefined ? {} : { 'proxy-url': proxy }),
  };
}

async function clientOf(user: Fields, path: string): Promise<Kubeconfig['client']> {
  const part = async (name: string): Promise<{ text: string; file: string | undefined } | undefined> => {
    const data = textOf(user, `${name}-data`, path);
    if (data !== undefined) return { text: Buffer.from(data, 'base64').toString(), file: undefined };
    const named = textOf(user, name, path);
    if (named === undefined) return undefined;
    const file = resolve(dirname(path), named);
    const text = await readText(file);
    if (text === undefined) throw fault(path, `${name} ${file} does not exist`);
    return { text, file };
  };
  try {
    const [cert, key] = [await part('client-certificate'), await part('client-key')];
    if (cert === undefined && key === undefined) return { kind: 'other' };
    if (cert === undefined) throw fault(path, 'client-key without client-certificate');
    if (key === undefined) throw fault(path, 'client-certificate without client-key');
    const pair = parsePair(cert.text, key.text, cert.file ?? `kubeconfig ${path}`);
    return { kind: 'pair', pair, certPath: cert.file };
  } catch (error) {
    const known = error instanceof KubeconfigError ? error : fault(path, describeError(error), error);
    return { kind: 'broken', error: known };
  }
}

/**
 * Writes the kubeconfig of a node whose certificate and key are in the file `pemPath` (absolute), in upstream's form;
 * kubeadm waits for this file. Rejects with KubeconfigError.
 */
export async function writeKubeconfig(path: string, cluster: Cluster, pemPath: string): Promise<void> {
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'default-cluster', cluster }],
    contexts: [
      {
        name: 'default-context',
        context: { cluster: 'default-cluster', namespace: 'default', user: 'default-auth' },
      },
    ],
    'current-context': 'default-context',
    preferences: {},
    users: [{ name: 'default-auth', user: { 'client-certificate': pemPath, 'client-key': pemPath } }],
  };
  try {
    await ensureFolder(dirname(path));
    await writeDurable(path, stringify(config, { lineWidth: 0 }), 0o600);
  } catch (cause) {
    throw new KubeconfigError(`kubeconfig ${path} can't be written`, { cause, retryable: true });
  }
}
