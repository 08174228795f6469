import { describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { NodeletError } from '#lib/errors.ts';
import { parseKubeconfig } from './parse.ts';

const CERT = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n';
const base64 = (text: string): string => Buffer.from(text).toString('base64');

interface Parts {
  cluster?: Record<string, unknown>;
  user?: Record<string, unknown>;
  root?: Record<string, unknown>;
  context?: Record<string, unknown>;
}

const config = ({ cluster, user, root, context }: Parts = {}): string =>
  stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'c',
    contexts: [
      { name: 'other', context: { cluster: 'x', user: 'y' } },
      { name: 'c', context: { cluster: 'k', user: 'u', namespace: 'ns', ...context } },
    ],
    clusters: [{ name: 'k', cluster: { server: 'https://api.example:6443', ...cluster } }],
    users: [{ name: 'u', user: { ...user } }],
    preferences: {},
    ...root,
  });

const parse = (parts?: Parts) => parseKubeconfig(config(parts), '/etc/kubernetes/kubelet.conf');

describe('parseKubeconfig', () => {
  test('follows the current context', () => {
    const { context, namespace, cluster, user } = parse({ user: { token: 't' } });
    expect({ context, namespace, cluster: cluster.name, user: user.name }).toEqual({
      context: 'c',
      namespace: 'ns',
      cluster: 'k',
      user: 'u',
    });
    expect(cluster.server.href).toBe('https://api.example:6443/');
    expect(user.token).toBe('t');
  });

  test('reads what kubelet itself writes', () => {
    const { cluster, user } = parse({
      cluster: { 'certificate-authority-data': base64(CERT) },
      user: {
        'client-certificate': '/var/lib/kubelet/pki/kubelet-client-current.pem',
        'client-key': '/var/lib/kubelet/pki/kubelet-client-current.pem',
      },
    });
    expect(cluster.ca).toEqual({ data: CERT });
    expect(user.cert).toEqual({ file: '/var/lib/kubelet/pki/kubelet-client-current.pem' });
    expect(user.key).toEqual(user.cert);
  });

  test('paths start at the file; data win over files', () => {
    const { cluster, user } = parse({
      cluster: { 'certificate-authority': 'pki/ca.crt' },
      user: {
        'client-certificate': '../c.crt',
        'client-certificate-data': base64(CERT),
        'client-key': './c.key',
        tokenFile: 'token',
        exec: {
          apiVersion: 'client.authentication.k8s.io/v1',
          command: './plugin',
          interactiveMode: 'Never',
        },
      },
    });
    expect(cluster.ca).toEqual({ file: '/etc/kubernetes/pki/ca.crt' });
    expect(user.cert).toEqual({ data: CERT });
    expect(user.key).toEqual({ file: '/etc/kubernetes/c.key' });
    expect(user.tokenFile).toBe('/etc/kubernetes/token');
    expect(user.exec?.command).toBe('/etc/kubernetes/plugin');
  });

  test('JSON is YAML', () => {
    const text = JSON.stringify({
      'current-context': 'c',
      contexts: [{ name: 'c', context: { cluster: 'k' } }],
      clusters: [{ name: 'k', cluster: { server: 'http://127.0.0.1:8080/base/' } }],
    });
    const { cluster, user } = parseKubeconfig(text, 'x');
    expect(cluster.server.pathname).toBe('/base/');
    expect(user).toMatchObject({ token: undefined, cert: undefined, exec: undefined });
  });

  test('an address without protocol is http, as upstream', () => {
    expect(parse({ cluster: { server: 'localhost:8080' } }).cluster.server.href).toBe(
      'http://localhost:8080/',
    );
  });

  test('exec plugins', () => {
    const { user, cluster } = parse({
      cluster: { extensions: [{ name: 'client.authentication.k8s.io/exec', extension: { audience: 'a' } }] },
      user: {
        exec: {
          apiVersion: 'client.authentication.k8s.io/v1beta1',
          command: 'aws',
          args: ['eks', 'get-token'],
          env: [{ name: 'A', value: 'b' }, { name: 'EMPTY' }],
          installHint: ' get it ',
          provideClusterInfo: true,
        },
      },
    });
    expect(user.exec).toEqual({
      apiVersion: 'client.authentication.k8s.io/v1beta1',
      command: 'aws',
      args: ['eks', 'get-token'],
      env: { A: 'b', EMPTY: '' },
      installHint: 'get it',
      provideClusterInfo: true,
    });
    expect(cluster.execExtension).toEqual({ audience: 'a' });
  });

  const exec = { apiVersion: 'client.authentication.k8s.io/v1', command: 'x', interactiveMode: 'Never' };
  const bad: [string, Parts | string, RegExp][] = [
    ['empty', '', /^FILE: is empty; write a kubeconfig/],
    ['no YAML', 'a: b: c\ntoken: hunter2', /^FILE: line 1: is no YAML \(.*\); mend/],
    ['no map', '- a', /^FILE: the document: must be a map, is a list/],
    ['no context', { root: { 'current-context': '' } }, /: current-context: is missing; name one/],
    ['unknown context', { root: { 'current-context': 'd' } }, /: contexts: .*"d".*there are "other", "c"/],
    ['unknown cluster', { context: { cluster: 'q' } }, /: clusters: .*"q".*there are "k"/],
    ['unknown user', { context: { user: 'q' } }, /: users: .*"q" \(from context.user\)/],
    ['no users', { root: { users: null } }, /: users: .*there are none/],
    ['no server', { cluster: { server: '' } }, /clusters\[0\]\.cluster\.server: is missing/],
    [
      'a server that is none',
      { cluster: { server: 'ftp://x' } },
      /server: "ftp:\/\/x" is no address; write https/,
    ],
    ['a server with a user', { cluster: { server: 'https://u:hunter2@x' } }, /server: holds more than/],
    [
      'a proxy',
      { cluster: { 'proxy-url': 'http://p' } },
      /proxy-url: "http:\/\/p" is not supported; remove it/,
    ],
    [
      'insecure and a CA',
      { cluster: { 'insecure-skip-tls-verify': true, 'certificate-authority': 'ca' } },
      /insecure-skip-tls-verify: true makes.*remove one/,
    ],
    [
      'insecure as text',
      { cluster: { 'insecure-skip-tls-verify': 'yes' } },
      /must be true or false, is a string/,
    ],
    ['data that are no base64', { user: { 'client-key-data': 'hunter2!' } }, /client-key-data: is no base64/],
    ['data that are no PEM', { user: { 'client-key-data': base64('hunter2') } }, /no PEM block PRIVATE KEY/],
    [
      'a key alone',
      { user: { 'client-key': 'k' } },
      /user\.client-certificate: is missing beside client-key/,
    ],
    ['a certificate alone', { user: { 'client-certificate-data': base64(CERT) } }, /client-key: is missing/],
    [
      'a number as token',
      { user: { token: 123 } },
      /users\[0\]\.user\.token: must be a string, is a number; put it/,
    ],
    [
      'password and token',
      { user: { username: 'u', password: 'hunter2', token: 't' } },
      /remove one of the two/,
    ],
    ['a password alone', { user: { password: 'hunter2' } }, /username: is missing beside password/],
    [
      'an auth provider',
      { user: { 'auth-provider': { name: 'gcp' } } },
      /auth-provider: is not supported; use/,
    ],
    [
      'exec of another version',
      { user: { exec: { ...exec, apiVersion: 'v0' } } },
      /exec\.apiVersion: "v0" is not/,
    ],
    [
      'exec without mode',
      { user: { exec: { ...exec, interactiveMode: '' } } },
      /interactiveMode: is missing; write/,
    ],
    [
      'exec with a terminal',
      { user: { exec: { ...exec, interactiveMode: 'Always' } } },
      /"Always" needs a terminal/,
    ],
    ['exec without command', { user: { exec: { ...exec, command: null } } }, /exec\.command: is missing/],
    [
      'a user that is a list',
      { root: { users: [{ name: 'u', user: ['hunter2'] }] } },
      /must be a map, is a list/,
    ],
  ];
  test.each(bad)('refuses: %s', (_name, input, message) => {
    const file = '/etc/kubernetes/kubelet.conf';
    let error: unknown;
    try {
      parseKubeconfig(typeof input === 'string' ? input : config(input), file);
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(NodeletError);
    expect(error).toMatchObject({ code: 'KUBECONFIG' });
    const text = (error as Error).message;
    expect(text.startsWith(`${file}: `)).toBe(true);
    expect(text.replace(file, 'FILE')).toMatch(message);
    expect(text).not.toMatch(/hunter2/);
  });
});
