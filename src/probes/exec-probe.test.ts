import { describe, expect, test } from 'vitest';
import { type CommandResult, probeExec } from './exec-probe.ts';

const exited = (exitCode: number, stdout = '', stderr = ''): CommandResult => ({
  kind: 'exited',
  exitCode,
  stdout: Buffer.from(stdout),
  stderr: Buffer.from(stderr),
});
const { signal } = new AbortController();
const probeWith = (result: CommandResult | Error) =>
  probeExec(
    ['cat', '/x y'],
    90,
    () => (result instanceof Error ? Promise.reject(result) : Promise.resolve(result)),
    signal,
  );

describe('probeExec', () => {
  test.each<[string, CommandResult | Error, object]>([
    ['exit status 0', exited(0, 'fine'), { kind: 'success', words: 'fine' }],
    ['another', exited(1, 'out', 'err'), { kind: 'failure', words: 'outerr' }],
    [
      'a long output',
      exited(2, 'x'.repeat(9000), 'y'.repeat(9000)),
      { kind: 'failure', words: 'x'.repeat(9000) + 'y'.repeat(1240) },
    ],
    [
      'too long a run',
      { kind: 'timedOut' },
      { kind: 'failure', words: 'command timed out: "cat /x y" timed out after 1m30s' },
    ],
    ['no run at all', new Error('no such container'), { kind: 'error', words: 'no such container' }],
  ])('%s', async (_name, result, outcome) => {
    expect(await probeWith(result)).toEqual(outcome);
  });
});
