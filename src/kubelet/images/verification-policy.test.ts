import { expect, test } from 'vitest';
import { AllowlistError, parseAllowlistPattern, verificationPolicy } from './verification-policy.ts';

test.each([
  ['NeverVerify', true, false],
  ['NeverVerify', false, false],
  ['NeverVerifyPreloadedImages', true, true],
  ['NeverVerifyPreloadedImages', false, false],
  ['AlwaysVerify', true, true],
  ['AlwaysVerify', false, true],
] as const)('%s, pulled by the agent: %s', (name, pulledByAgent, mustVerify) => {
  expect(verificationPolicy(name)('reg.io/a:1', pulledByAgent)).toBe(mustVerify);
});

test.each([
  ['reg.io/team/app:v1', false],
  ['reg.io/team/sub/app', false],
  ['reg.io/teams/app', true],
  ['other.io/app:1', false],
  ['other.io/app2', true],
])('an allow-list and %s', (image, mustVerify) => {
  const policy = verificationPolicy('NeverVerifyAllowlistedImages', ['reg.io/team/*', 'other.io/app']);
  expect(policy(image, true)).toBe(mustVerify);
});

test.each([
  '',
  ' reg.io/a',
  '*',
  '/*',
  'reg.io/*/a',
  'reg.io/a*',
  'reg.io/a:1',
  'reg.io/A',
  `reg.io/a@sha256:${'0'.repeat(64)}`,
])('refuses the pattern %j', (pattern) => {
  expect(() => parseAllowlistPattern(pattern)).toThrow(AllowlistError);
});
