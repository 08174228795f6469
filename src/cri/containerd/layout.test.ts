import { expect, test } from 'vitest';
import { layoutOf } from './layout.ts';

test('the standard instance has the plain name, any other one of its own', () => {
  expect(layoutOf()).toMatchObject({
    bridge: 'nodelet0',
    config: '/var/lib/nodelet/containerd/config.toml',
    socket: '/run/nodelet/containerd/containerd.sock',
  });
  const other = layoutOf('/srv/a', '/run/a');
  expect(other.bridge).not.toBe(layoutOf('/srv/b', '/run/b').bridge);
  expect(other.bridge).toBe(layoutOf('/srv/a', '/run/c').bridge);
  expect(Buffer.byteLength(other.bridge)).toBeLessThanOrEqual(15);
});
