/** The private containerd's NAT, with both variants of iptables: what the other side of a connection sees. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { PrivateContainerd } from '#cri/containerd/private-containerd.ts';
import { connect } from '#cri/grpc/connect.ts';
import type { RuntimeConnection } from '#cri/grpc/connect.ts';
import { systemClock } from '#host/clock.ts';
import { silentLogger } from '#lib/logger.ts';
import { nodeAddress, removeCgroups } from '#test/bed/bed.ts';
import { exec } from '#test/bed/exec.ts';
import { runPod, sandboxConfig } from '#test/bed/pods.ts';
import { buildImage } from '../../../scripts/image/image.ts';
import { busyboxImage, pauseImage } from '../../../scripts/image/images.ts';

const outside = '192.0.2.1';
/** Answers each request with the address that it comes from. */
const who = '#!/bin/sh\necho\necho $REMOTE_ADDR\n';
const containerd = process.env['NODELET_TEST_CONTAINERD'] ?? '';
const signal = AbortSignal.timeout(600_000);
const path = process.env['PATH'] ?? '';

let server: ChildProcess;
beforeAll(async () => {
  // The far end of the node's link becomes a machine of its own, which knows no way to the pods.
  await exec('ip', ['netns', 'add', 'outside']);
  await exec('ip', ['link', 'set', 'uplink', 'netns', 'outside']);
  await exec('ip', ['-n', 'outside', 'address', 'add', `${outside}/24`, 'dev', 'uplink']);
  await exec('ip', ['-n', 'outside', 'link', 'set', 'uplink', 'up']);
  const www = await mkdtemp(join(tmpdir(), 'www-'));
  await mkdir(join(www, 'cgi-bin'));
  await writeFile(join(www, 'cgi-bin/who'), who);
  await chmod(join(www, 'cgi-bin/who'), 0o755);
  const httpd = ['busybox', 'httpd', '-f', '-p', `${outside}:80`, '-h', www];
  server = spawn('ip', ['netns', 'exec', 'outside', ...httpd], { stdio: 'ignore' });
  await once(server, 'spawn');
});
afterAll(async () => {
  process.env['PATH'] = path;
  server.kill();
  await exec('ip', ['netns', 'delete', 'outside']);
});

/** Makes `iptables` and its companions those of the variant, for this process and what it starts. */
async function choose(variant: 'nft' | 'legacy'): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'iptables-'));
  for (const kind of ['', '-save', '-restore']) {
    await symlink(`/usr/sbin/iptables-${variant}${kind}`, join(folder, `iptables${kind}`));
  }
  process.env['PATH'] = [folder, path].join(delimiter);
}

const rules = async (): Promise<string[]> =>
  (await exec('iptables-save', ['-t', 'nat'], { env: process.env }))
    .split('\n')
    .filter((line) => line.startsWith('-A'));

async function importImages(instance: PrivateContainerd): Promise<string[]> {
  const images = [await pauseImage(), await busyboxImage()];
  for (const image of images) {
    const file = join(await mkdtemp(join(tmpdir(), 'image-')), 'image.tar');
    await writeFile(file, buildImage(image).archive);
    const where = ['--address', instance.layout.socket, '--namespace', 'k8s.io'];
    await exec(join(dirname(containerd), 'ctr'), [...where, 'images', 'import', file]);
  }
  return images.map(({ name }) => name);
}

describe.each(['nft', 'legacy'] as const)('with iptables-%s', (variant) => {
  test('pods are masked to the outside, by one rule, and not to one another', async () => {
    await choose(variant);
    const before = await rules();
    const dir = await mkdtemp(join(tmpdir(), 'masquerade-'));
    const pause = (await pauseImage()).name;
    const instance = new PrivateContainerd({
      clock: systemClock,
      log: silentLogger,
      root: join(dir, 'root'),
      state: join(dir, 'state'),
      containerd,
      sandboxImage: pause,
    });
    let connection: RuntimeConnection | undefined;
    try {
      await instance.start(signal);
      const [, busybox = ''] = await importImages(instance);
      const made = await rules();
      const own = made.filter((rule) => !before.includes(rule));
      expect(own).toHaveLength(1);

      connection = await connect(instance.endpoint, { clock: systemClock });
      const { runtime } = connection;
      const script = `mkdir -p /www/cgi-bin && printf '${who.replaceAll('\n', '\\n')}' > /www/cgi-bin/who &&
        chmod +x /www/cgi-bin/who && exec httpd -f -p 80 -h /www`;
      const pod = async (name: string): ReturnType<typeof runPod> =>
        runPod({ runtime }, sandboxConfig(name, join(dir, 'logs')), busybox, ['sh', '-c', script]);
      const [one, other] = [await pod('one'), await pod('other')];
      // busybox's wget needs more of a C library than there is in the image.
      const asks = async (address: string): Promise<string> => {
        const request = `printf 'GET /cgi-bin/who HTTP/1.0\\r\\n\\r\\n' | nc -w 2 ${address} 80`;
        const { stdout } = await runtime.execSync(one.containerId, ['sh', '-c', request], 10);
        return stdout.toString().trim().split('\n').at(-1) ?? '';
      };
      await expect.poll(() => asks(other.address), { timeout: 10_000 }).toContain(one.address);
      await expect.poll(() => asks(outside), { timeout: 10_000 }).toContain(nodeAddress);
      expect(await rules()).toEqual(made);

      // A firewall that was set up anew has lost the rule.
      await instance.release();
      await exec('iptables', ['-w', '-t', 'nat', '-F', 'POSTROUTING'], { env: process.env });
      expect(await asks(outside)).toBe('');
      await instance.start(signal);
      expect(await asks(outside)).toContain(nodeAddress);
      await instance.start(signal);
      expect((await rules()).filter((rule) => own.includes(rule))).toEqual(own);
    } finally {
      connection?.close();
      await instance.stop(signal);
      await removeCgroups('kubepods');
    }
    expect((await rules()).filter((rule) => !before.includes(rule))).toEqual([]);
  });
});
