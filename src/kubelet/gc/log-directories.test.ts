import { describe, expect, it } from 'vitest';
import { isLinkOf, uidOfLogDir } from './log-directories.ts';

describe('uidOfLogDir', () => {
  it.each([
    ['default_web_0a1b', '0a1b'],
    ['kube-system_etcd-node.1_6f7c-8', '6f7c-8'],
    ['default_web', undefined],
    ['default_web_', undefined],
    ['a_b_c_d', undefined],
    ['journal', undefined],
  ])('%s', (name, uid) => {
    expect(uidOfLogDir(name)).toBe(uid);
  });
});

describe('isLinkOf', () => {
  const id = '0123456789abcdef';
  it.each([
    [`web-1_default_main-${id}.log`, true],
    ['web_default_main-0123456789.log', true],
    ['web_default_main-01234.log', false],
    ['web_default_main-123456789abcdef.log', false],
    [`web_default_main-${id}0.log`, false],
  ])('%s', (name, expected) => {
    expect(isLinkOf(name, id)).toBe(expected);
  });
});
