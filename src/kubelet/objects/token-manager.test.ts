import { beforeEach, describe, expect, test } from 'vitest';
import { ApiError } from '#lib/kube/api-error.ts';
import type { AgentPod, TokenRequest } from '#lib/kube/types.ts';
import { silentLogger } from '#lib/logger.ts';
import { FakeClock } from '#lib/testing/fake-clock.ts';
import { TokenError, TokenManager, type TokenManagerParts } from './token-manager.ts';
import { tokenTimes } from './token-schedule.ts';

const HOUR = 3_600_000;
const signal = new AbortController().signal;
const podOf = (uid: string): AgentPod => ({
  metadata: { name: `name-${uid}`, namespace: 'ns', uid },
  spec: { serviceAccountName: 'robot', containers: [] },
});
const pod = podOf('u');

describe('schedule', () => {
  test.each([
    ['80 % of an hour', HOUR, 0, 0.8 * HOUR],
    ['up to 10 s earlier', HOUR, 1, 0.8 * HOUR - 10_000],
    ['a day at most', 365 * 24 * HOUR, 0, 24 * HOUR],
    ['ten minutes, the shortest', 600_000, 0.5, 475_000],
    ['never negative', 1000, 1, 0],
  ])('%s', (_, lifetime, random, renewAfterMs) => {
    expect(tokenTimes(lifetime, random)).toEqual({ renewAfterMs, expiresAfterMs: lifetime });
  });
});

let clock: FakeClock;
let calls: { at: unknown; request: TokenRequest }[];
let failure: Error | undefined;
let lifetimeS: number | undefined;
let due: string[];
let manager: TokenManager;
/** What the server's clock is ahead. */
let skewMs: number;

beforeEach(() => {
  clock = new FakeClock();
  calls = [];
  failure = undefined;
  lifetimeS = undefined;
  due = [];
  skewMs = 0;
  const create: TokenManagerParts['client']['create'] = <T>(
    _resource: unknown,
    at: unknown,
    object: unknown,
  ) => {
    const request = object as TokenRequest;
    if (failure !== undefined) return Promise.reject(failure);
    calls.push({ at, request });
    const expirationSeconds = lifetimeS ?? request.spec?.expirationSeconds ?? 0;
    const expirationTimestamp = new Date(clock.now() + skewMs + expirationSeconds * 1000).toISOString();
    const answer = {
      ...request,
      spec: { ...request.spec, expirationSeconds },
      status: { token: `token ${calls.length}`, expirationTimestamp },
    };
    return Promise.resolve(answer as T);
  };
  manager = new TokenManager({
    client: { create },
    clock,
    random: () => 0,
    log: silentLogger,
    onDue: (uid) => due.push(uid),
  });
});

const ask = (more: { audience?: string; expirationSeconds?: number } = {}, of = pod): Promise<string> =>
  manager.token(of, { expirationSeconds: 3600, ...more }, signal);

describe('token manager', () => {
  test('asks for a token of the pod’s account, bound to the pod', async () => {
    expect(await ask({ audience: 'vault', expirationSeconds: 7200 })).toBe('token 1');
    expect(calls).toEqual([
      {
        at: { namespace: 'ns', name: 'robot', subresource: 'token' },
        request: {
          apiVersion: 'authentication.k8s.io/v1',
          kind: 'TokenRequest',
          spec: {
            audiences: ['vault'],
            expirationSeconds: 7200,
            boundObjectRef: { apiVersion: 'v1', kind: 'Pod', name: 'name-u', uid: 'u' },
          },
        },
      },
    ]);
  });

  test('one is kept for each pod, audience and lifetime', async () => {
    const wishes = [{}, { audience: 'a' }, { expirationSeconds: 600 }];
    for (const wish of [...wishes, ...wishes]) await ask(wish);
    await ask({}, podOf('other'));
    expect(calls).toHaveLength(4);
    expect(calls[0]?.request.spec?.audiences).toEqual([]);
  });

  test('it is told at 80 % of its life that it is due, and then renewed', async () => {
    await ask();
    await clock.advance(0.8 * HOUR - 1);
    expect(await ask()).toBe('token 1');
    expect(due).toEqual([]);
    await clock.advance(1);
    expect(due).toEqual(['u']);
    expect(await ask()).toBe('token 2');
    await clock.advance(0.8 * HOUR);
    expect(due).toEqual(['u', 'u']);
    expect(clock.pending).toBe(0);
  });

  test('the machine sleeps, or its clock is set: what is due by then is told soon', async () => {
    await ask();
    await clock.advance(60_000);
    clock.set(0.8 * HOUR);
    await clock.advance(30_000);
    expect(due).toEqual(['u']);
    expect(await ask()).toBe('token 2');
    clock.set(-HOUR);
    await clock.advance(0.8 * HOUR - 1);
    expect(due).toEqual(['u']);
    await clock.advance(1);
    expect(due).toEqual(['u', 'u']);
  });

  test('the life that the server grants counts, by this machine’s clock', async () => {
    lifetimeS = 600;
    skewMs = -HOUR;
    await ask({ expirationSeconds: 86_400 });
    await clock.advance(479_999);
    expect(await ask({ expirationSeconds: 86_400 })).toBe('token 1');
    await clock.advance(1);
    expect(await ask({ expirationSeconds: 86_400 })).toBe('token 2');
  });

  test('while a renewal fails the old one serves, tried every 30 s, until it expires', async () => {
    await ask();
    failure = new ApiError({ status: 503, reason: 'ServiceUnavailable', message: 'down' });
    await clock.advance(0.8 * HOUR);
    expect(await ask()).toBe('token 1');
    expect(due).toEqual(['u']);
    await clock.advance(30_000);
    expect(due).toEqual(['u', 'u']);
    expect(await ask()).toBe('token 1');
    await clock.advance(HOUR);
    await expect(ask()).rejects.toThrow(TokenError);
    await expect(ask()).rejects.toThrow('token expired and refresh failed: down');
    failure = undefined;
    expect(await ask()).toBe('token 2');
  });

  test('without any, the server’s word is passed on', async () => {
    failure = new ApiError({ status: 404, reason: 'NotFound', message: 'serviceaccounts "robot" not found' });
    await expect(ask()).rejects.toThrow('failed to fetch token: serviceaccounts "robot" not found');
    failure = undefined;
    expect(await ask()).toBe('token 1');
  });

  test('a pod that has ended leaves nothing', async () => {
    await ask();
    await ask({ audience: 'x' });
    manager.forget('u');
    expect(clock.pending).toBe(0);
    await clock.advance(24 * HOUR);
    expect(due).toEqual([]);
    expect(await ask()).toBe('token 3');
  });
});
