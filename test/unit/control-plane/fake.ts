import { afterAll, beforeAll } from 'vitest';
import { FakeControlPlane } from '#test/control-plane/fake/fake-control-plane.ts';
import type { FakeOptions } from '#test/control-plane/fake/parts.ts';

/** A fake control plane for all tests of a file. */
export function useFake(options: FakeOptions = {}): () => FakeControlPlane {
  let plane: FakeControlPlane | undefined;
  beforeAll(async () => {
    plane = await FakeControlPlane.start(options);
  });
  afterAll(() => plane?.destroy());
  return () => {
    if (plane === undefined) throw new Error('the fake is not started yet');
    return plane;
  };
}
