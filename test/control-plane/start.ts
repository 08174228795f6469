import { afterAll, beforeAll, describe, test } from 'vitest';
import type { ControlPlane } from './control-plane.ts';
import { FakeControlPlane } from './fake/fake-control-plane.ts';
import type { FakeOptions } from './fake/parts.ts';
import { findAssets } from './real/assets.ts';
import { RealControlPlane } from './real/real-control-plane.ts';
import type { RealOptions } from './real/real-control-plane.ts';

export interface ControlPlaneOptions {
  fake?: FakeOptions;
  real?: RealOptions;
}

/** Which one this run uses; test/run.ts says. */
export const usesReal = process.env['NODELET_TEST_CONTROL_PLANE'] === 'real';

export async function startControlPlane(options: ControlPlaneOptions = {}): Promise<ControlPlane> {
  if (!usesReal) return FakeControlPlane.start(options.fake);
  const assets = await findAssets();
  if (typeof assets === 'string') throw new Error(`no real control plane: ${assets}`);
  return RealControlPlane.start(assets, options.real);
}

/** A control plane for all tests of a file. */
export function useControlPlane(options: ControlPlaneOptions = {}): () => ControlPlane {
  let plane: ControlPlane | undefined;
  beforeAll(async () => {
    plane = await startControlPlane(options);
  });
  afterAll(() => plane?.destroy());
  return () => {
    if (plane === undefined) throw new Error('the control plane is not started yet');
    return plane;
  };
}

/** The fake behind a control plane; throws for the real one. */
export function theFake(plane: ControlPlane): FakeControlPlane {
  if (plane.fake === undefined) throw new Error(`${plane.title} can't misbehave on command`);
  return plane.fake;
}

function describeOnly(runs: boolean, name: string, reason: string, body: () => void): void {
  describe(name, () => {
    if (runs) body();
    else test('all', (context) => context.skip(reason));
  });
}

/** Tests that need the fake: with the real control plane they and their hooks are skipped, and the summary says why. */
export const describeFakeOnly = (name: string, reason: string, body: () => void): void =>
  describeOnly(!usesReal, name, `only with the fake control plane: ${reason}`, body);

/** Tests that need the real control plane. */
export const describeRealOnly = (name: string, reason: string, body: () => void): void =>
  describeOnly(usesReal, name, `only with the real control plane: ${reason}`, body);
