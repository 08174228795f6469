import type { Clock } from '#lib/clock.ts';
import { type RunCommand, probeExec } from './exec-probe.ts';
import { probeGrpc } from './grpc-probe.ts';
import { probeHttp } from './http-probe.ts';
import type { HttpRequest } from './http-request.ts';
import type { Outcome } from './outcome.ts';
import { probeTcp } from './tcp-probe.ts';

/** What a probe asks, with everything resolved that depends on the pod. */
export type ProbeTarget =
  | { kind: 'http'; request: HttpRequest }
  | { kind: 'tcp'; host: string; port: number }
  | { kind: 'grpc'; host: string; port: number; service: string }
  | { kind: 'exec'; command: readonly string[]; run: RunCommand }
  /** The probe can't be made as it is written. */
  | { kind: 'invalid'; words: string };

/** As upstream: how often a probe is made that fails by itself. */
const TRIES = 3;

/** Makes one probe. Rejects with the signal's reason only. */
export async function probe(
  target: ProbeTarget,
  timeoutSeconds: number,
  clock: Clock,
  signal: AbortSignal,
): Promise<Outcome> {
  let outcome: Outcome = { kind: 'error', words: '' };
  for (let tries = 0; tries < TRIES && outcome.kind === 'error'; tries++) {
    outcome = await once(target, timeoutSeconds, clock, signal);
  }
  return outcome;
}

async function once(
  target: ProbeTarget,
  timeoutSeconds: number,
  clock: Clock,
  signal: AbortSignal,
): Promise<Outcome> {
  const options = { clock, timeoutMs: timeoutSeconds * 1000, signal };
  switch (target.kind) {
    case 'http':
      return probeHttp(target.request, options);
    case 'tcp':
      return probeTcp(target.host, target.port, options);
    case 'grpc':
      return probeGrpc(target.host, target.port, target.service, options);
    case 'exec':
      return probeExec(target.command, timeoutSeconds, target.run, signal);
    case 'invalid':
      return { kind: 'error', words: target.words };
  }
}
