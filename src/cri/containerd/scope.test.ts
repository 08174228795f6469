import { describe, expect, it } from 'vitest';
import { silentLogger } from '#lib/logger.ts';
import type { Logger } from '#lib/logger.ts';
import { giveOwnScope, scopeCall } from './scope.ts';
import type { ScopeOptions } from './scope.ts';

interface Call {
  program: string;
  args: readonly string[];
}

function bed(answer: () => Promise<void> = async () => {}): { calls: Call[]; options: ScopeOptions } {
  const calls: Call[] = [];
  const options: ScopeOptions = {
    log: silentLogger,
    signal: new AbortController().signal,
    isBooted: async () => true,
    runner: async (program, args) => {
      calls.push({ program, args });
      await answer();
      return { stdout: '', stderr: '' };
    },
  };
  return { calls, options };
}

describe('scopeCall', () => {
  it('counts its properties and names the process as an array of one', () => {
    const words = scopeCall('x.scope', 4711).slice(7);
    expect(words.slice(0, 4)).toEqual(['ssa(sv)a(sa(sv))', 'x.scope', 'fail', '7']);
    expect(words.join(' ')).toContain('PIDs au 1 4711 ');
    expect(words.at(-1)).toBe('0');
  });
});

describe('giveOwnScope', () => {
  it('asks systemd, under another name each time', async () => {
    const { calls, options } = bed();
    await giveOwnScope(12, options);
    await giveOwnScope(12, options);
    const units = calls.map(({ args }) => args.find((word) => word.endsWith('.scope')));
    expect(units[0]).toMatch(/^nodelet-containerd-[0-9a-f]{8}\.scope$/);
    expect(units[0]).not.toBe(units[1]);
  });

  it('asks nobody where systemd does not run', async () => {
    const { calls, options } = bed();
    await giveOwnScope(12, { ...options, isBooted: async () => false });
    expect(calls).toEqual([]);
  });

  it('lets containerd stay where it is when systemd refuses', async () => {
    const warnings: string[] = [];
    const log: Logger = {
      ...silentLogger,
      warn: (_fields: object, text: string) => void warnings.push(text),
    };
    const { options } = bed(() => Promise.reject(new Error('refused')));
    await giveOwnScope(12, { ...options, log });
    expect(warnings).toEqual(['systemd gave the private containerd no unit of its own']);
  });

  it('ends when it is told to', async () => {
    const stop = new AbortController();
    const { options } = bed(() => {
      stop.abort(new Error('told to stop'));
      return Promise.reject(new Error('cut short'));
    });
    await expect(giveOwnScope(12, { ...options, signal: stop.signal })).rejects.toThrow('told to stop');
  });
});
