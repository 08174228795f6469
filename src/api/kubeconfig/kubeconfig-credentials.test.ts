import { chmod, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { silentLogger } from '#lib/logger.ts';
import type { Logger } from '#lib/logger.ts';
import { FakeClock } from '#lib/testing/fake-clock.ts';
import { TestCa } from '../testing/certs.ts';
import { KubeconfigCredentials, loadKubeconfig } from './kubeconfig-credentials.ts';

let dir: string;
let logged: string[];
const signal = new AbortController().signal;
const ca = TestCa.make();

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'kubeconfig-'));
  logged = [];
});
afterEach(() => rm(dir, { recursive: true }));

const path = (name: string): string => join(dir, name);
const logger: Logger = {
  ...silentLogger,
  warn: (fields, message) => void logged.push(`${message} ${JSON.stringify(fields)}`),
};

async function make(user: object, cluster: object = {}) {
  const clock = new FakeClock();
  await writeFile(
    path('kubeconfig'),
    stringify({
      'current-context': 'c',
      contexts: [{ name: 'c', context: { cluster: 'k', user: 'u' } }],
      clusters: [{ name: 'k', cluster: { server: 'https://127.0.0.1:6443', ...cluster } }],
      users: [{ name: 'u', user }],
    }),
  );
  const kubeconfig = await loadKubeconfig(path('kubeconfig'));
  const credentials = new KubeconfigCredentials(kubeconfig, { clock, logger, env: process.env });
  let changes = 0;
  credentials.onTlsChange(() => (changes += 1));
  return {
    clock,
    credentials,
    current: () => credentials.current(signal),
    authorization: async () => (await credentials.current(signal)).headers['authorization'],
    get changes() {
      return changes;
    },
  };
}

/** A program that prints what it is told, and counts its calls in a file. */
async function plugin(script: string): Promise<string> {
  await writeFile(path('plugin'), `#!/bin/sh\necho x >> ${path('calls')}\n${script}\n`);
  await chmod(path('plugin'), 0o755);
  return path('plugin');
}
const calls = async (): Promise<number> => {
  const { readFile } = await import('node:fs/promises');
  return (await readFile(path('calls'), 'utf8')).length / 2;
};
const credential = (status: object): string =>
  `cat <<'END'\n${JSON.stringify({ apiVersion: 'client.authentication.k8s.io/v1', kind: 'ExecCredential', status })}\nEND`;
const exec = (command: string, more: object = {}): object => ({
  exec: { apiVersion: 'client.authentication.k8s.io/v1', command, interactiveMode: 'IfAvailable', ...more },
});

describe('loadKubeconfig', () => {
  test('a file that is not there', async () => {
    await expect(loadKubeconfig(path('none'))).rejects.toMatchObject({
      code: 'KUBECONFIG',
      message: `${path('none')}: there is no such file; name a kubeconfig`,
    });
  });
});

describe('static credentials', () => {
  test('a token, a name and password, or nobody', async () => {
    expect(await (await make({ token: 'abc' })).authorization()).toBe('Bearer abc');
    expect(await (await make({ username: 'u', password: 'p:w' })).authorization()).toBe(
      `Basic ${Buffer.from('u:p:w').toString('base64')}`,
    );
    expect((await (await make({})).current()).headers).toEqual({});
    expect((await (await make({ as: 'other', token: 't' })).current()).headers).toEqual({
      'impersonate-user': 'other',
      authorization: 'Bearer t',
    });
  });

  test('is the same object as long as nothing changes', async () => {
    const { clock, current } = await make({ token: 'abc' });
    const first = await current();
    await clock.advance(60_000);
    expect(await current()).toBe(first);
  });
});

describe('certificate files', () => {
  const setUp = async () => {
    const pair = await (await ca).issue('CN=one');
    await writeFile(path('one.pem'), pair.cert + pair.key);
    await symlink('one.pem', path('current.pem'));
    await writeFile(path('ca.crt'), (await ca).cert);
    return make(
      { 'client-certificate': 'current.pem', 'client-key': 'current.pem' },
      { 'certificate-authority': 'ca.crt' },
    );
  };
  const switchTo = async (name: string): Promise<void> => {
    await symlink(name, path('next'));
    await rename(path('next'), path('current.pem'));
  };

  test('follow the link that a rotation moves, and say so once', async () => {
    const bed = await setUp();
    const first = await bed.current();
    expect(first.tls.ca).toBe((await ca).cert);
    const pair = await (await ca).issue('CN=two');
    await writeFile(path('two.pem'), pair.cert + pair.key);
    await switchTo('two.pem');
    // Not looked at again at once.
    expect(await bed.current()).toBe(first);
    await bed.clock.advance(3000);
    const second = await bed.current();
    expect(second.tls.cert).toBe(pair.cert + pair.key);
    expect(bed.changes).toBe(1);
    await bed.clock.advance(3000);
    expect(await bed.current()).toBe(second);
    expect(bed.changes).toBe(1);
  });

  test('a change half done, or broken, leaves what was good', async () => {
    const bed = await setUp();
    const first = await bed.current();
    const pair = await (await ca).issue('CN=two');
    const [one, two] = [pair, await (await ca).issue('CN=three')];
    for (const text of [one.cert, one.cert + two.key, 'nonsense', '']) {
      await writeFile(path('two.pem'), text);
      await switchTo('two.pem');
      await bed.clock.advance(3000);
      expect(await bed.current()).toBe(first);
    }
    await rm(path('current.pem'));
    await bed.clock.advance(3000);
    expect(await bed.current()).toBe(first);
    await bed.clock.advance(3000);
    await bed.current();
    // Once for each kind of trouble, not at every look.
    expect(logged.length).toBeLessThanOrEqual(3);
    expect(logged.join()).not.toContain('PRIVATE');
    await writeFile(path('two.pem'), one.cert + one.key);
    await symlink('two.pem', path('current.pem'));
    await bed.clock.advance(3000);
    expect((await bed.current()).tls.cert).toBe(one.cert + one.key);
  });

  test('a new CA counts, too', async () => {
    const bed = await setUp();
    await bed.current();
    const other = await TestCa.make('other');
    await writeFile(path('ca.crt'), (await ca).cert + other.cert);
    await bed.clock.advance(3000);
    expect((await bed.current()).tls.ca).toContain(other.cert);
    expect(bed.changes).toBe(1);
  });

  test('a refusal looks at once', async () => {
    const bed = await setUp();
    const first = await bed.current();
    expect(await bed.credentials.refused(first, signal)).toBe(false);
    const pair = await (await ca).issue('CN=two');
    await writeFile(path('two.pem'), pair.cert + pair.key);
    await switchTo('two.pem');
    expect(await bed.credentials.refused(first, signal)).toBe(true);
    expect(await bed.credentials.refused(first, signal)).toBe(true);
    expect(bed.changes).toBe(1);
  });

  test('without any that was good it is an error that names file and field', async () => {
    const bed = await make({ 'client-certificate': 'c.pem', 'client-key': 'c.pem' });
    await expect(bed.current()).rejects.toMatchObject({
      code: 'KUBECONFIG',
      message: `${path('kubeconfig')}: user.client-certificate: ${path('c.pem')} is not there; mend the path or the file`,
    });
    const [a, b] = [await (await ca).issue('CN=a'), await (await ca).issue('CN=b')];
    await writeFile(path('c.pem'), a.cert + b.key);
    await expect(bed.current()).rejects.toThrow('are no certificate with its key');
    await writeFile(path('c.pem'), a.cert + a.key);
    expect((await bed.current()).tls.cert).toBe(a.cert + a.key);
  });
});

describe('token file', () => {
  test('wins over the token, is trimmed, and followed', async () => {
    await writeFile(path('token'), 'one\n');
    const bed = await make({ token: 'static', tokenFile: 'token' });
    expect(await bed.authorization()).toBe('Bearer one');
    await writeFile(path('token'), 'another');
    expect(await bed.authorization()).toBe('Bearer one');
    await bed.clock.advance(3000);
    expect(await bed.authorization()).toBe('Bearer another');
    expect(bed.changes).toBe(0);
  });

  test('is read at once after a refusal', async () => {
    await writeFile(path('token'), 'one');
    const bed = await make({ tokenFile: 'token' });
    const identity = await bed.current();
    await writeFile(path('token'), 'two');
    expect(await bed.credentials.refused(identity, signal)).toBe(true);
    expect(await bed.authorization()).toBe('Bearer two');
  });

  test('the last good token stays; without one it is an error', async () => {
    const bed = await make({ tokenFile: 'token' });
    await expect(bed.authorization()).rejects.toThrow(`user.tokenFile: ${path('token')} is not there`);
    await writeFile(path('token'), 'bad token');
    await expect(bed.authorization()).rejects.toThrow('holds no token');
    await writeFile(path('token'), 'good');
    expect(await bed.authorization()).toBe('Bearer good');
    await rm(path('token'));
    for (let i = 0; i < 3; i++) {
      await bed.clock.advance(3000);
      expect(await bed.authorization()).toBe('Bearer good');
    }
    expect(logged).toHaveLength(1);
  });
});

describe('exec plugin', () => {
  test('gives a token, which is kept until it expires', async () => {
    const clock = new FakeClock();
    const expirationTimestamp = new Date(clock.now() + 60_000).toISOString();
    const bed = await make(exec(await plugin(credential({ token: 'one', expirationTimestamp }))));
    expect(await bed.authorization()).toBe('Bearer one');
    await bed.clock.advance(59_000);
    expect(await bed.authorization()).toBe('Bearer one');
    expect(await calls()).toBe(1);
    await plugin(credential({ token: 'two' }));
    await bed.clock.advance(1000);
    expect(await bed.authorization()).toBe('Bearer two');
    await bed.clock.advance(3_600_000);
    expect(await bed.authorization()).toBe('Bearer two');
    expect(await calls()).toBe(2);
  });

  test('runs again after a refusal, though not in a loop, and once for all callers', async () => {
    const bed = await make(exec(await plugin(credential({ token: 'one' }))));
    const all = await Promise.all([bed.current(), bed.current(), bed.current()]);
    expect(await calls()).toBe(1);
    await plugin(credential({ token: 'two' }));
    expect(await bed.credentials.refused(all[0], signal)).toBe(false);
    expect(await calls()).toBe(1);
    await bed.clock.advance(5000);
    const refusals = [bed.credentials.refused(all[0], signal), bed.credentials.refused(all[0], signal)];
    expect(await Promise.all(refusals)).toEqual([true, true]);
    expect(await calls()).toBe(2);
    expect(await bed.authorization()).toBe('Bearer two');
  });

  test('gives a client certificate', async () => {
    const pair = await (await ca).issue('CN=exec');
    const status = { clientCertificateData: pair.cert, clientKeyData: pair.key };
    const bed = await make(exec(await plugin(credential(status))));
    const identity = await bed.current();
    expect(identity.tls).toMatchObject({ cert: pair.cert, key: pair.key });
    expect(identity.headers).toEqual({});
    await bed.clock.advance(10_000);
    expect(await bed.current()).toBe(identity);
    const next = await (await ca).issue('CN=next');
    await plugin(credential({ clientCertificateData: next.cert, clientKeyData: next.key }));
    expect(await bed.credentials.refused(identity, signal)).toBe(true);
    expect((await bed.current()).tls.cert).toBe(next.cert);
    expect(bed.changes).toBe(1);
  });

  test('is told who asks and, where wanted, about the cluster', async () => {
    await writeFile(path('ca.crt'), (await ca).cert);
    const command = await plugin(
      `printf %s "$KUBERNETES_EXEC_INFO" > ${path('info')}; echo "$A $1" > ${path('args')}; ${credential({ token: 't' })}`,
    );
    const bed = await make(
      exec(command, { provideClusterInfo: true, env: [{ name: 'A', value: 'b' }], args: ['c'] }),
      {
        'certificate-authority': 'ca.crt',
        'tls-server-name': 'api.test',
        extensions: [{ name: 'client.authentication.k8s.io/exec', extension: { audience: 'x' } }],
      },
    );
    await bed.current();
    const { readFile } = await import('node:fs/promises');
    expect(await readFile(path('args'), 'utf8')).toBe('b c\n');
    expect(JSON.parse(await readFile(path('info'), 'utf8'))).toEqual({
      kind: 'ExecCredential',
      apiVersion: 'client.authentication.k8s.io/v1',
      spec: {
        interactive: false,
        cluster: {
          server: 'https://127.0.0.1:6443',
          'tls-server-name': 'api.test',
          'certificate-authority-data': Buffer.from((await ca).cert).toString('base64'),
          config: { audience: 'x' },
        },
      },
    });
  });

  const token = 'hunter2-hunter2-hunter2-hunter2-hunter2';
  test.each([
    ['is not there', undefined, /\/plugin: is not there: get it from x/],
    ['fails', 'echo "no access for pass-word" >&2; exit 3', /exit status 3: no access for …$/],
    ['shows a token', `echo ${token} >&2; exit 1`, /exit status 1: …$/],
    ['prints nonsense', `echo ${token}`, /its output is no JSON/],
    ['prints something else', 'echo "{}"', /no ExecCredential/],
    [
      'speaks another version',
      `echo '{"kind":"ExecCredential","apiVersion":"v9","status":{"token":"${token}"}}'`,
      /another apiVersion/,
    ],
    ['gives nothing', credential({}), /neither a token nor a certificate/],
    ['gives half a certificate', credential({ clientKeyData: token }), /only one of/],
    [
      'gives no certificate',
      credential({ clientKeyData: token, clientCertificateData: token }),
      /are no certificate/,
    ],
    ['gives no time', credential({ token, expirationTimestamp: 'soon' }), /no RFC 3339 time/],
  ])('an error when it %s, without its secrets', async (_name, script, message) => {
    const command = script === undefined ? path('plugin') : await plugin(script);
    const env = [{ name: 'PASSWORD', value: 'pass-word' }];
    const bed = await make(exec(command, { installHint: 'get it from x', env }));
    const error = await bed.current().catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'EXEC_PLUGIN' });
    expect((error as Error).message).toMatch(message);
    expect((error as Error).message).not.toMatch(/hunter2|pass-word/);
    expect((error as Error).cause).toBeUndefined();
  });

  test('a call that is given up does not wait for the plugin', async () => {
    const bed = await make(exec(await plugin(`sleep 0.5; ${credential({ token: 't' })}`)));
    const stop = new AbortController();
    const result = bed.credentials.current(stop.signal).catch((error: unknown) => error);
    stop.abort(new Error('enough'));
    expect(await result).toMatchObject({ message: 'enough' });
    expect(await bed.authorization()).toBe('Bearer t');
    expect(await calls()).toBe(1);
  });
});
