import { dirname, resolve } from 'node:path';
import { LineCounter, parseDocument } from 'yaml';
import { parseExecConfig } from './exec-config.ts';
import type { ExecConfig } from './exec-config.ts';
import { Fields, KubeconfigError, shown } from './fields.ts';

/** PEM text that stands in the kubeconfig, or the file that holds it. */
export type PemSource = { readonly data: string } | { readonly file: string };

export interface KubeconfigCluster {
  name: string;
  server: URL;
  ca: PemSource | undefined;
  insecure: boolean;
  serverName: string | undefined;
  /** The `extensions` entry that exec plugins are given, if there is one. */
  execExtension: unknown;
}

export interface KubeconfigUser {
  name: string;
  cert: PemSource | undefined;
  key: PemSource | undefined;
  token: string | undefined;
  tokenFile: string | undefined;
  basic: { username: string; password: string } | undefined;
  exec: ExecConfig | undefined;
  /** Impersonation. */
  headers: Readonly<Record<string, string>>;
}

/** The part of a kubeconfig that its current context points at. */
export interface Kubeconfig {
  file: string;
  context: string;
  namespace: string | undefined;
  cluster: KubeconfigCluster;
  user: KubeconfigUser;
}

/** Reads a kubeconfig's text. `file` is where it comes from: relative paths in it start there. */
export function parseKubeconfig(text: string, file: string): Kubeconfig {
  const root = new Fields(file, '', parseYaml(text, file));
  const name = root.string('current-context');
  if (name === undefined) {
    throw root.error('current-context', 'is missing; name one of the contexts');
  }
  const context = named(root, 'contexts', 'context', name, 'current-context');
  const clusterName = required(context, 'cluster');
  const userName = context.string('user');
  const cluster = parseCluster(
    named(root, 'clusters', 'cluster', clusterName, 'context.cluster'),
    clusterName,
  );
  const user =
    userName === undefined
      ? anonymous
      : parseUser(named(root, 'users', 'user', userName, 'context.user'), userName);
  return { file, context: name, namespace: context.string('namespace'), cluster, user };
}

const anonymous: KubeconfigUser = {
  name: '',
  cert: undefined,
  key: undefined,
  token: undefined,
  tokenFile: undefined,
  basic: undefined,
  exec: undefined,
  headers: {},
};

function parseYaml(text: string, file: string): unknown {
  const lines = new LineCounter();
  // The library's own words quote the line, which may hold a secret.
  const document = parseDocument(text, { prettyErrors: false, lineCounter: lines });
  const [error] = document.errors;
  if (error !== undefined) {
    const { line } = lines.linePos(error.pos[0]);
    throw new KubeconfigError(`${file}: line ${line}: is no YAML (${error.code}); mend the syntax`);
  }
  const value: unknown = document.toJS({ maxAliasCount: 100 });
  if (value === null || value === undefined) {
    throw new KubeconfigError(`${file}: is empty; write a kubeconfig there or name another file`);
  }
  return value;
}

function required(fields: Fields, name: string): string {
  const value = fields.string(name);
  if (value === undefined) throw fields.error(name, 'is missing');
  return value;
}

/** The map `member` of the entry of `list` that has this name. */
function named(root: Fields, list: string, member: string, name: string, referrer: string): Fields {
  const entries = root.maps(list);
  const entry = entries.find((each) => each.string('name') === name);
  const found = entry?.map(member);
  if (found !== undefined) return found;
  if (entry !== undefined) throw entry.error(member, 'is missing');
  const names = entries.map((each) => each.string('name') ?? '');
  const there = names.length === 0 ? 'there are none' : `there are ${names.map(shown).join(', ')}`;
  throw root.error(list, `has no entry named ${shown(name)} (from ${referrer}); ${there}`);
}

function parseCluster(fields: Fields, name: string): KubeconfigCluster {
  const server = parseServer(fields);
  if (fields.has('proxy-url')) {
    throw fields.error('proxy-url', `${shown(fields.raw('proxy-url'))} is not supported; remove it`);
  }
  const ca = pem(fields, 'certificate-authority', 'CERTIFICATE');
  const insecure = fields.boolean('insecure-skip-tls-verify');
  if (insecure && ca !== undefined) {
    throw fields.error(
      'insecure-skip-tls-verify',
      'true makes a certificate authority useless; remove one of the two',
    );
  }
  const extension = fields
    .maps('extensions')
    .find((each) => each.string('name') === 'client.authentication.k8s.io/exec');
  return {
    name,
    server,
    ca,
    insecure,
    serverName: fields.string('tls-server-name'),
    execExtension: extension?.raw('extension'),
  };
}

function parseServer(fields: Fields): URL {
  const text = required(fields, 'server');
  // As upstream, a bare HOST:PORT is taken for http.
  const url = URL.parse(/^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`);
  if (url === null || !['http:', 'https:'].includes(url.protocol)) {
    throw fields.error('server', `${shown(withoutUser(text))} is no address; write https://HOST:PORT`);
  }
  if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '') {
    throw fields.error('server', 'holds more than protocol, host, port and path; write https://HOST:PORT');
  }
  return url;
}

const withoutUser = (text: string): string => text.replace(/\/\/[^/]*@/, '//…@');

function parseUser(fields: Fields, name: string): KubeconfigUser {
  for (const gone of ['auth-provider']) {
    if (fields.has(gone)) throw fields.error(gone, 'is not supported; use exec, a token or a certificate');
  }
  const cert = pem(fields, 'client-certificate', 'CERTIFICATE');
  const key = pem(fields, 'client-key', 'PRIVATE KEY');
  if (cert !== undefined && key === undefined)
    throw fields.error('client-key', 'is missing beside client-certificate');
  if (cert === undefined && key !== undefined)
    throw fields.error('client-certificate', 'is missing beside client-key');
  const token = fields.string('token');
  const tokenFile = fields.string('tokenFile');
  const username = fields.string('username');
  const password = fields.string('password');
  if (username === undefined && password !== undefined)
    throw fields.error('username', 'is missing beside password');
  if (username !== undefined && (token !== undefined || tokenFile !== undefined)) {
    throw fields.error('username', 'stands beside a token; remove one of the two');
  }
  const exec = fields.map('exec');
  return {
    name,
    cert,
    key,
    token,
    tokenFile: tokenFile === undefined ? undefined : beside(fields.file, tokenFile),
    basic: username === undefined ? undefined : { username, password: password ?? '' },
    exec: exec === undefined ? undefined : parseExecConfig(exec),
    headers: impersonation(fields),
  };
}

function impersonation(fields: Fields): Record<string, string> {
  for (const name of ['as-uid', 'as-groups', 'as-user-extra']) {
    if (fields.has(name)) throw fields.error(name, 'is not supported; give the agent credentials of its own');
  }
  const user = fields.string('as');
  return user === undefined ? {} : { 'impersonate-user': user };
}

export const beside = (file: string, path: string): string => resolve(dirname(resolve(file)), path);

/** The field NAME-data (base64) or NAME (a path); the data win, as upstream. */
function pem(fields: Fields, name: string, block: string): PemSource | undefined {
  const dataName = `${name}-data`;
  const encoded = fields.string(dataName);
  if (encoded !== undefined) {
    const bare = encoded.replaceAll(/\s/g, '');
    const data = Buffer.from(bare, 'base64').toString();
    if (bare.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(bare)) {
      throw fields.error(dataName, 'is no base64; encode the PEM file with base64');
    }
    if (!data.includes(`${block}-----`)) {
      throw fields.error(dataName, `holds no PEM block ${block}; encode the PEM file with base64`);
    }
    return { data };
  }
  const path = fields.string(name);
  return path === undefined ? undefined : { file: beside(fields.file, path) };
}
