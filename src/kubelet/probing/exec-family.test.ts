import { describe, expect, test } from 'vitest';
import type { ProcessStat } from '#host/process-stats.ts';
import { execFamily, execRoots } from './exec-family.ts';

const SHIM = 50;
const CALL = 1000;

const process = (pid: number, more: Partial<ProcessStat> = {}): ProcessStat => ({
  pid,
  parent: SHIM,
  session: pid,
  startTime: '1010',
  args: ['sh', '-c', 'sleep 100'],
  ...more,
});
const init = process(100, { startTime: '900' });
const root = process(200);
const child = process(201, { parent: 200, session: 200, startTime: '1011', args: ['sleep', '100'] });

describe('the first processes of commands', () => {
  test('are told from the container’s own, whatever their words', () => {
    const other = process(300, { args: ['sleep', '1'] });
    expect(execRoots([init, root, child, other], CALL)).toEqual([root, other]);
  });

  test.each<[string, ProcessStat]>([
    ['one that began before', process(200, { startTime: '1000' })],
    ['the child of one inside', process(200, { parent: 100 })],
    ['one that leads no session', process(200, { session: 100 })],
  ])('are not: %s', (_case, each) => {
    expect(execRoots([init, each], CALL)).toEqual([]);
  });
});

describe('its family', () => {
  test('are its children and theirs, also when it is gone, and nobody else', () => {
    const own = process(202, { parent: 201, session: 202, startTime: '1012' });
    const orphan = process(203, { parent: 100, session: 200, startTime: '1013' });
    const other = process(400, { parent: 100, session: 100, startTime: '1014' });
    const before = execFamily([init, root, child, own, orphan, other], root);
    expect(before.map(({ pid }) => pid)).toEqual([200, 201, 203, 202]);
    // The root has been killed; a daemon that left its session is known from before; its number is somebody else's now.
    const left = [init, { ...child, parent: 100 }, { ...own, parent: 100 }, orphan, other];
    expect(execFamily(left, root, before).map(({ pid }) => pid)).toEqual([201, 202, 203]);
    const reused = { ...own, parent: 100, startTime: '2000' };
    expect(execFamily([init, reused], root, before)).toEqual([]);
  });

  test('an earlier session of the same number is not its', () => {
    const old = process(150, { parent: 100, session: 200, startTime: '950' });
    expect(execFamily([init, root, old], root)).toEqual([root]);
  });
});
