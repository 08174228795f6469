import { describe, expect, it } from 'vitest';
import * as names from './names.ts';

const cases: Record<string, { check: names.NameCheck; good: string[]; bad: string[] }> = {
  dns1123Label: {
    check: names.dns1123Label,
    good: ['a', 'web-1', '0', 'a'.repeat(63)],
    bad: ['', 'A', '-a', 'a-', 'a.b', 'a_b', 'a'.repeat(64), 'a\n'],
  },
  dns1123Subdomain: {
    check: names.dns1123Subdomain,
    good: ['a', 'a.b-c.d', `${'a'.repeat(251)}.b`],
    bad: ['', '.', 'a..b', 'a.', '.a', 'A.b', 'a.-b', 'a'.repeat(254)],
  },
  searchDomain: { check: names.searchDomain, good: ['_tcp.example.com', 'a'], bad: ['', 'a..b', 'A', 'a-'] },
  qualifiedName: {
    check: names.qualifiedName,
    good: ['a', 'A_b.c-d', 'example.com/Name', `${'a'.repeat(253)}/b`],
    bad: ['', '/a', 'a/', 'a/b/c', '-a', 'Example.com/a', `example.com/${'a'.repeat(64)}`],
  },
  labelValue: {
    check: names.labelValue,
    good: ['', 'a', 'A.b_c-1'],
    bad: ['-', 'a b', 'a'.repeat(64), 'a/b'],
  },
  portName: {
    check: names.portName,
    good: ['http', 'a', '8-a', 'a'.repeat(15)],
    bad: ['', '80', 'a--b', '-a', 'a-', 'HTTP', 'a'.repeat(16), 'a_b'],
  },
  envVarName: {
    check: names.envVarName,
    good: ['PATH', '1a', 'a b', 'a-b.c', '{}'],
    bad: ['', 'a=b', 'ä', 'a\tb'],
  },
  httpHeaderName: { check: names.httpHeaderName, good: ['X-A'], bad: ['', 'X A', 'X:A', 'X_A'] },
  configKey: { check: names.configKey, good: ['a.b', '.a', 'A_1'], bad: ['', '.', '..', '..a', 'a/b'] },
  sysctlName: {
    check: names.sysctlName,
    good: ['net.ipv4.ip_forward', 'net/ipv4/conf/eth0.1/x', 'kernel.shmmax'],
    bad: ['', '.a', 'a.', 'a..b', 'A.b', 'a b', `a.${'b'.repeat(253)}`],
  },
};

describe.each(Object.entries(cases))('%s', (_name, { check, good, bad }) => {
  it.each(good)('takes %j', (text) => expect(check(text)).toBeUndefined());
  it.each(bad)('refuses %j and says what is allowed', (text) =>
    expect(check(text)).toMatch(/^(must|the part)/),
  );
});
