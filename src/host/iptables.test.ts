import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Iptables, IptablesError, parseIptablesVersion } from './iptables.ts';
import type { ProgramRunner } from './iptables.ts';
import { ProcessError } from './process.ts';

let folder: string;
let calls: string[];
let inputs: (string | Buffer | undefined)[];
/** Exit status by the call's words; 0 unless named. */
let exits: (words: string) => number;

const runner: ProgramRunner = (program, args, { input }) => {
  const words = [program.slice(folder.length + 1), ...args].join(' ');
  calls.push(words);
  inputs.push(input);
  const status = exits(words);
  if (status !== 0) {
    return Promise.reject(
      new ProcessError(program, `exit status ${status}`, { code: 'EXIT', exitCode: status }),
    );
  }
  return Promise.resolve({
    stdout: args[0] === '--version' ? 'iptables v1.8.9 (nf_tables)\n' : 'text\n',
    stderr: '',
  });
};

async function programs(...names: string[]): Promise<void> {
  for (const name of names) await writeFile(join(folder, name), '', { mode: 0o755 });
}
const find = (more: Partial<Parameters<typeof Iptables.find>[0]> = {}): Promise<Iptables | undefined> =>
  Iptables.find({ family: 'IPv4', folders: [folder], runner, ...more });

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'iptables-'));
  calls = [];
  inputs = [];
  exits = () => 0;
  for (const name of ['iptables', 'ip6tables', 'iptables-legacy']) {
    await programs(name, `${name}-save`, `${name}-restore`);
  }
});
afterEach(() => rm(folder, { recursive: true }));

test.each([
  ['iptables v1.8.9 (nf_tables)', { version: '1.8.9', variant: 'nft' }],
  ['iptables v1.8.9 (legacy)', { version: '1.8.9', variant: 'legacy' }],
  ['ip6tables v1.6.1', { version: '1.6.1', variant: 'legacy' }],
  ['iptables', undefined],
])('parseIptablesVersion(%j)', (text, expected) => {
  expect(parseIptablesVersion(text)).toEqual(expected);
});

describe('find', () => {
  test('takes the family’s programs as the distribution has chosen them', async () => {
    expect(await find({ family: 'IPv6' })).toMatchObject({
      family: 'IPv6',
      variant: 'nft',
      version: '1.8.9',
    });
    expect(calls).toEqual(['ip6tables --version', 'ip6tables -w 5 -t nat -S POSTROUTING']);
  });

  test('or those of a variant', async () => {
    await find({ variant: 'legacy' });
    expect(calls[0]).toBe('iptables-legacy --version');
  });

  test.each<[string, Partial<Parameters<typeof Iptables.find>[0]>, (words: string) => number]>([
    ['programs', { variant: 'nft' }, () => 0],
    ['a kernel with the tables', {}, (words) => (words.includes('-S') ? 3 : 0)],
  ])('finds nothing without %s', async (_name, more, status) => {
    exits = status;
    expect(await find(more)).toBeUndefined();
  });

  test('a lock that is held is no lack', async () => {
    exits = (words) => (words.includes('-S') ? 4 : 0);
    await expect(find()).rejects.toMatchObject({ code: 'IPTABLES', retryable: true });
  });
});

describe('calls', () => {
  let iptables: Iptables;
  beforeEach(async () => {
    iptables = (await find())!;
    calls = [];
    inputs = [];
  });

  test('save and restore', async () => {
    expect(await iptables.save('nat')).toBe('text\n');
    expect(await iptables.save()).toBe('text\n');
    await iptables.restore('*nat\nCOMMIT\n');
    await iptables.restore('*nat\nCOMMIT\n', { counters: true });
    expect(calls).toEqual(
      [
        'iptables-save -t nat',
        'iptables-save ',
        'iptables-restore -w 5 --noflush',
        'iptables-restore -w 5 --noflush --counters',
      ].map((each) => each.trim()),
    );
    expect(inputs.at(-1)).toBe('*nat\nCOMMIT\n');
  });

  test('what is there isn’t made again', async () => {
    expect(await iptables.ensureChain('filter', 'MINE')).toBe(false);
    expect(await iptables.ensureRule('prepend', 'filter', 'INPUT', ['-j', 'MINE'])).toBe(false);
    expect(calls).toEqual(['iptables -w 5 -t filter -S MINE', 'iptables -w 5 -t filter -C INPUT -j MINE']);
  });

  test.each([1, 2])('what isn’t there (exit status %i) is made', async (status) => {
    exits = (words) => (/ -[SC] /.test(words) ? status : 0);
    expect(await iptables.ensureChain('filter', 'MINE')).toBe(true);
    expect(await iptables.ensureRule('prepend', 'filter', 'INPUT', ['-j', 'MINE'])).toBe(true);
    expect(await iptables.ensureRule('append', 'filter', 'MINE', ['-j', 'DROP'])).toBe(true);
    expect(calls.filter((each) => !/ -[SC] /.test(each))).toEqual([
      'iptables -w 5 -t filter -N MINE',
      'iptables -w 5 -t filter -I INPUT -j MINE',
      'iptables -w 5 -t filter -A MINE -j DROP',
    ]);
  });

  test('a chain that somebody else makes in between is there', async () => {
    let made = false;
    exits = (words) => {
      if (words.includes(' -N ')) {
        made = true;
        return 1;
      }
      return made ? 0 : 1;
    };
    expect(await iptables.ensureChain('filter', 'MINE')).toBe(false);
  });

  test('a question that can’t be answered is no "no"', async () => {
    exits = () => 4;
    const error = await iptables.chainExists('filter', 'MINE').catch((each: unknown) => each);
    expect(error).toBeInstanceOf(IptablesError);
    expect(error).toMatchObject({ retryable: true });
    expect(String(error)).toContain('-t filter -S MINE');
  });
});
