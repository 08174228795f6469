import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { DockerConfigError, parseDockerConfigJson, parseDockercfg } from './docker-config.ts';

const none = { username: '', password: '', email: '', identityToken: '', registryToken: '' };
const base64 = (text: string): string => Buffer.from(text).toString('base64');
const logins = (text: string): Record<string, unknown> =>
  Object.fromEntries(parseDockerConfigJson(text).logins);

describe('parseDockerConfigJson', () => {
  test.each([
    [{ auth: base64('ada:lovelace') }, { username: 'ada', password: 'lovelace' }],
    [{ auth: base64('ada:lovelace').replaceAll('=', '') }, { username: 'ada', password: 'lovelace' }],
    [{ auth: base64('ada:a:b:c') }, { username: 'ada', password: 'a:b:c' }],
    [{ auth: base64('ada:') }, { username: 'ada' }],
    [
      { auth: base64('ada:pw'), username: 'other', password: 'gone' },
      { username: 'ada', password: 'pw' },
    ],
    [{ auth: `${base64('ada:love')}\n` }, { username: 'ada', password: 'love' }],
    [
      { username: 'ada', password: 'pw', email: 'a@b.c' },
      { username: 'ada', password: 'pw', email: 'a@b.c' },
    ],
    [
      { Username: 'ada', PASSWORD: 'pw' },
      { username: 'ada', password: 'pw' },
    ],
    [{ auth: base64('0000:'), identitytoken: 'idt' }, { identityToken: 'idt' }],
    [{ registrytoken: 'regt' }, { registryToken: 'regt' }],
    [{}, {}],
    [null, {}],
  ])('an entry %j', (entry, expected) => {
    expect(logins(JSON.stringify({ auths: { 'reg.io': entry } }))).toEqual({
      'reg.io': { ...none, ...expected },
    });
  });

  test.each(['{}', '{"auths":{}}', '{"auths":null}', '{"credsStore":""}'])('%s has no logins', (text) => {
    expect(parseDockerConfigJson(text)).toEqual({ logins: new Map(), ignored: [] });
  });

  test('names the fields that it does not follow', () => {
    const text = '{"credHelpers":{"reg.io":"ecr-login"},"credsStore":"desktop","auths":{}}';
    expect(parseDockerConfigJson(text).ignored).toEqual(['credHelpers', 'credsStore']);
  });

  test.each([
    ['', "isn't valid JSON"],
    ['[]', "isn't a JSON object"],
    ['{"auths":[]}', "auths isn't an object"],
    ['{"auths":{"a":1}}', "entry 1 of auths isn't an object"],
    ['{"auths":{"a":{"username":1}}}', "entry 1 of auths: field username isn't a string"],
    ['{"auths":{"a":{},"b":{"auth":"%%%"}}}', "entry 2 of auths: field auth isn't base64"],
    ['{"auths":{"a":{"auth":"YWRh=="}}}', "entry 1 of auths: field auth isn't base64"],
    ['{"auths":{"a":{"auth":"YWRhZGE"}}}', "entry 1 of auths: field auth isn't base64(username:password)"],
  ])('refuses %j', (text, message) => {
    expect(() => parseDockerConfigJson(text)).toThrow(new DockerConfigError(message));
  });

  test('reads back every user and password', () => {
    const user = fc.string({ unit: 'grapheme' }).filter((text) => !text.includes(':') && text.isWellFormed());
    const password = fc.string({ unit: 'grapheme' }).filter((text) => text.isWellFormed());
    fc.assert(
      fc.property(user, password, (username, password) => {
        fc.pre(username !== '' || password !== '');
        const auth = base64(`${username}:${password}`);
        expect(logins(JSON.stringify({ auths: { r: { auth } } }))).toEqual({
          r: { ...none, username, password },
        });
      }),
    );
  });
});

test('parseDockercfg has the registries at the top', () => {
  const text = JSON.stringify({ 'https://index.docker.io/v1/': { auth: base64('a:b'), email: 'e' } });
  expect(Object.fromEntries(parseDockercfg(text).logins)).toEqual({
    'https://index.docker.io/v1/': { ...none, username: 'a', password: 'b', email: 'e' },
  });
});
