import { expect, test } from 'vitest';
import { renderContainerdConfig } from './config.ts';
import type { ContainerdSettings } from './config.ts';

const settings: ContainerdSettings = {
  root: '/r/data',
  state: '/s/run',
  socket: '/s/containerd.sock',
  sandboxImage: 'registry.example/pause:3.10',
  runc: '/usr/sbin/runc',
  cniPlugins: '/usr/lib/cni',
  cniConfig: '/r/net.d',
  snapshotter: 'overlayfs',
  restrictOomScore: false,
};

/** The value of `key` in `[section]`, as written. */
function valueOf(text: string, section: string, key: string): string | undefined {
  const [, ...parts] = `\n[]\n${text}`.split(/\n\[(?=[^\]\n]*\]\n)/);
  const part = parts.find((each) => each.startsWith(`${section}]`)) ?? '';
  return new RegExp(`^ *${key} = (.*)$`, 'm').exec(part)?.[1];
}

const cri = 'plugins."io.containerd.grpc.v1.cri"';

test.each([
  ['', 'version', '2'],
  ['', 'root', '"/r/data"'],
  ['', 'state', '"/s/run"'],
  ['', 'oom_score', '-999'],
  ['grpc', 'address', '"/s/containerd.sock"'],
  ['plugins."io.containerd.nri.v1.nri"', 'disable', 'true'],
  [cri, 'sandbox_image', '"registry.example/pause:3.10"'],
  [cri, 'restrict_oom_score_adj', 'false'],
  [cri, 'netns_mounts_under_state_dir', 'true'],
  [`${cri}.containerd`, 'snapshotter', '"overlayfs"'],
  [`${cri}.containerd.runtimes.runc.options`, 'BinaryName', '"/usr/sbin/runc"'],
  [`${cri}.containerd.runtimes.runc.options`, 'Root', '"/s/run/runc"'],
  [`${cri}.containerd.runtimes.runc.options`, 'SystemdCgroup', 'false'],
  [`${cri}.cni`, 'bin_dir', '"/usr/lib/cni"'],
  [`${cri}.cni`, 'conf_dir', '"/r/net.d"'],
  [`${cri}.registry`, 'config_path', '"/r/data/certs.d"'],
])('[%s] has %s = %s', (section, key, value) => {
  expect(valueOf(renderContainerdConfig(settings), section, key)).toBe(value);
});

test('without the capability nobody asks for a lower OOM score', () => {
  const text = renderContainerdConfig({ ...settings, restrictOomScore: true });
  expect(valueOf(text, '', 'oom_score')).toBeUndefined();
  expect(valueOf(text, cri, 'restrict_oom_score_adj')).toBe('true');
});

test('a path can’t break out of its string', () => {
  const text = renderContainerdConfig({ ...settings, cniConfig: '/a"\nversion = 3 # \\' });
  expect(valueOf(text, `${cri}.cni`, 'conf_dir')).toBe('"/a\\"\\nversion = 3 # \\\\"');
});
