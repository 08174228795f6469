import { describe, expect, test } from 'vitest';
import { RuntimeError } from '#cri/errors.ts';
import { Credential } from './credential.ts';
import { aggregate, classifyPullError, runtimeErrorText, scrub } from './pull-error.ts';

test.each([
  [new RuntimeError('PullImage', 'UNKNOWN', 'failed to resolve'), 'failed to resolve'],
  [new RuntimeError('PullImage', 'NOT_FOUND', 'gone'), 'rpc error: code = NotFound desc = gone'],
  [new RuntimeError('PullImage', 'CANCELLED', 'x'), 'rpc error: code = Canceled desc = x'],
  [
    new Error('outer', { cause: new RuntimeError('PullImage', 'UNAVAILABLE', 'down') }),
    'rpc error: code = Unavailable desc = down',
  ],
  [new Error('plain'), 'plain'],
])('runtimeErrorText(%s)', (error, text) => {
  expect(runtimeErrorText(error)).toBe(text);
});

test.each([
  [['a'], 'a'],
  [['a', 'b'], '[a, b]'],
  [['a', 'a'], 'a'],
])('aggregate(%j)', (texts, expected) => {
  expect(aggregate(texts)).toBe(expected);
});

test.each([
  ['manifest unknown', 'ErrImagePull', 'manifest unknown'],
  [
    'RegistryUnavailable: dial tcp: refused',
    'RegistryUnavailable',
    'image pull failed for reg.io/a because the registry is unavailable: dial tcp: refused',
  ],
  [
    'SignatureValidationFailed',
    'SignatureValidationFailed',
    'image pull failed for reg.io/a because the signature validation failed',
  ],
  ['[RegistryUnavailable: a, b]', 'ErrImagePull', '[RegistryUnavailable: a, b]'],
])('classifyPullError(%s)', (text, reason, message) => {
  expect(classifyPullError('reg.io/a', text)).toEqual({ reason, message });
});

describe('scrub', () => {
  const credential = new Credential(
    { username: 'ada', password: 'p@ss/word', email: '', identityToken: 'idtoken', registryToken: '' },
    undefined,
  );
  test.each([
    ['denied for p@ss/word', 'denied for [redacted]'],
    [`header Basic ${Buffer.from('ada:p@ss/word').toString('base64')}!`, 'header Basic [redacted]!'],
    ['?pw=p%40ss%2Fword', '?pw=[redacted]'],
    ['Get "https://idtoken@reg.io/v2/"', 'Get "https://[redacted]@reg.io/v2/"'],
    ['Get "https://blobs.io/a?X-Signature=abc&t=1": 403', 'Get "https://blobs.io/a?[redacted]": 403'],
    ['reg.io/a: not found', 'reg.io/a: not found'],
  ])('%s', (text, clean) => {
    expect(scrub(text, [credential])).toBe(clean);
  });
});
