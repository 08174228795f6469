import { ApiError } from '#lib/kube/api-error.ts';
import { FakeClock } from '#lib/testing/fake-clock.ts';
import { expect, test } from 'vitest';
import { clientOrder } from './client-order.ts';
import { generateKey } from './key-pair.ts';
import { signed } from './signing.ts';
import type { Signed } from './signing.ts';
import { FakeSigningApi } from './testing/fake-signing-api.ts';
import { TestCa, x509InProcess } from './testing/test-ca.ts';

interface Bed {
  clock: FakeClock;
  api: FakeSigningApi;
  progress: string[];
  ask: () => Promise<Signed>;
}

async function bed(): Promise<Bed> {
  const clock = new FakeClock();
  const api = new FakeSigningApi(await TestCa.make(), () => clock.now());
  const progress: string[] = [];
  const parts = {
    client: api.client('x'),
    x509: x509InProcess,
    clock,
    random: () => 0.5,
    progress: (what: string) => void progress.push(what),
  };
  const key = generateKey();
  return {
    clock,
    api,
    progress,
    ask: () => signed(key, clientOrder('n1'), parts, new AbortController().signal),
  };
}

/** Until something is asked: making the request takes a moment of real time. */
async function asked(at: Bed): Promise<void> {
  while (at.api.callers.length < 2) await at.clock.advance(0);
}

const gone = new ApiError({ status: 0, reason: '', message: 'connect ECONNREFUSED' });

test('says what it waits for: approval, then the signer', async () => {
  const at = await bed();
  at.api.approves = false;
  at.api.signs = false;
  const answer = at.ask();
  await asked(at);
  const [name] = at.api.requests.keys();
  expect(at.progress.at(-1)).toContain(`kubectl certificate approve ${name}`);
  await at.api.approve(name!);
  await at.clock.advance(1000);
  expect(at.progress.at(-1)).toContain('waits for its signer');
  await at.api.sign(name!);
  await at.clock.advance(1000);
  expect((await answer).isNewRequest).toBe(true);
});

test('an approved request with a Denied condition is denied', async () => {
  const at = await bed();
  at.api.approves = false;
  const answer = at.ask();
  answer.catch(() => undefined);
  await asked(at);
  const [name] = at.api.requests.keys();
  at.api.decide(name!, 'Denied', 'No', '');
  await at.api.approve(name!);
  await at.clock.advance(1000);
  await expect(answer).rejects.toThrow(`${name} was denied (No)`);
});

test('a server that is away for a while is waited for', async () => {
  const at = await bed();
  at.api.approves = false;
  const answer = at.ask();
  await asked(at);
  at.api.fault = () => gone;
  await at.clock.advance(60_000);
  expect(at.progress.at(-1)).toContain("can't be read: connect ECONNREFUSED");
  at.api.fault = () => undefined;
  await at.api.approve([...at.api.requests.keys()][0]!);
  await at.clock.advance(10_000);
  expect((await answer).certificate).toContain('BEGIN CERTIFICATE');
});

test('one that stays away ends the attempt, so that the next makes a new connection', async () => {
  const at = await bed();
  at.api.approves = false;
  const answer = at.ask();
  answer.catch(() => undefined);
  await asked(at);
  at.api.fault = () => gone;
  await at.clock.advance(150_000);
  await expect(answer).rejects.toBe(gone);
});

test('waits at leisure: an hour costs few calls', async () => {
  const at = await bed();
  at.api.approves = false;
  at.ask().catch(() => undefined);
  await asked(at);
  await at.clock.advance(3_600_000);
  expect(at.api.callers.length).toBeLessThan(420);
  expect(at.api.created).toHaveLength(1);
});
