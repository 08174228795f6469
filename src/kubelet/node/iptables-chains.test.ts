import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { IpFamily } from '#host/addresses.ts';
import { IptablesError } from '#host/iptables.ts';
import type { IptablesTable } from '#host/iptables.ts';
import { silentLogger } from '#lib/logger.ts';
import { FakeClock, settle } from '#lib/testing/fake-clock.ts';
import { keepKubeletChains } from './iptables-chains.ts';

class FakeTables {
  readonly family: IpFamily;
  readonly variant = 'nft';
  chains = new Set<string>();
  rules = new Map<string, string[]>();
  failing = false;

  constructor(family: IpFamily) {
    this.family = family;
  }

  ensureChain(table: IptablesTable, chain: string): Promise<boolean> {
    if (this.failing) return Promise.reject(new IptablesError('no', { retryable: true }));
    const key = `${table}/${chain}`;
    const fresh = !this.chains.has(key);
    this.chains.add(key);
    return Promise.resolve(fresh);
  }

  ensureRule(
    position: string,
    table: IptablesTable,
    chain: string,
    rule: readonly string[],
  ): Promise<boolean> {
    const list = this.rules.get(`${table}/${chain}`) ?? [];
    this.rules.set(`${table}/${chain}`, list);
    const text = rule.join(' ');
    if (list.includes(text)) return Promise.resolve(false);
    if (position === 'prepend') list.unshift(text);
    else list.push(text);
    return Promise.resolve(true);
  }

  chainExists(table: IptablesTable, chain: string): Promise<boolean> {
    return Promise.resolve(this.chains.has(`${table}/${chain}`));
  }

  flush(): void {
    this.chains.clear();
    this.rules.clear();
  }
}

let clock: FakeClock;
let stop: AbortController;
let warnings: string[];
let running: Promise<void>;
let v4: FakeTables;
let v6: FakeTables;

function start(found: (family: IpFamily) => FakeTables | undefined): void {
  const logger = { ...silentLogger, warn: (_fields: object, message: string) => void warnings.push(message) };
  running = keepKubeletChains(
    { find: (family) => Promise.resolve(found(family)), clock, logger },
    stop.signal,
  );
}
const both = (family: IpFamily): FakeTables => (family === 'IPv4' ? v4 : v6);

beforeEach(() => {
  clock = new FakeClock();
  stop = new AbortController();
  warnings = [];
  v4 = new FakeTables('IPv4');
  v6 = new FakeTables('IPv6');
});
afterEach(async () => {
  stop.abort();
  await running;
});

describe('keepKubeletChains', () => {
  test('IPv4: hint, canaries, and the firewall before everything else', async () => {
    v4.rules.set('filter/INPUT', ['-j OTHER']);
    start(both);
    await settle();
    expect([...v4.chains].toSorted()).toEqual([
      'filter/KUBE-FIREWALL',
      'filter/KUBE-KUBELET-CANARY',
      'mangle/KUBE-IPTABLES-HINT',
      'mangle/KUBE-KUBELET-CANARY',
      'nat/KUBE-KUBELET-CANARY',
    ]);
    expect(v4.rules.get('filter/INPUT')).toEqual(['-j KUBE-FIREWALL', '-j OTHER']);
    expect(v4.rules.get('filter/OUTPUT')).toEqual(['-j KUBE-FIREWALL']);
    expect(v4.rules.get('filter/KUBE-FIREWALL')).toEqual([
      '-m comment --comment block incoming localnet connections --dst 127.0.0.0/8 ! --src 127.0.0.0/8 ' +
        '-m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -j DROP',
    ]);
  });

  test('IPv6 has no such hole: hint and canaries alone', async () => {
    start(both);
    await settle();
    expect(v6.chains.size).toBe(4);
    expect(v6.rules.size).toBe(0);
  });

  test('what is flushed comes back within a minute', async () => {
    start(both);
    await settle();
    v4.flush();
    await clock.advance(59_999);
    expect(v4.chains.size).toBe(0);
    await clock.advance(1);
    expect(v4.chains.size).toBe(5);
    expect(v4.rules.get('filter/INPUT')).toEqual(['-j KUBE-FIREWALL']);
  });

  test('a failure is told of once and tried again', async () => {
    v4.failing = true;
    start(both);
    await clock.advance(25_000);
    expect(warnings).toHaveLength(1);
    v4.failing = false;
    await clock.advance(10_000);
    expect(v4.chains.size).toBe(5);
  });

  test('without iptables: one warning, and an end', async () => {
    start(() => undefined);
    await running;
    expect(warnings).toHaveLength(1);
  });

  test('one family alone will do', async () => {
    start((family) => (family === 'IPv4' ? v4 : undefined));
    await settle();
    expect(v4.chains.size).toBe(5);
    expect(warnings).toEqual([]);
  });
});
