import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isResultBelow, removeResults } from './cni-results.ts';

const result = (sandbox: string): string =>
  JSON.stringify({
    kind: 'cniCacheV1',
    networkName: 'cni-loopback',
    ifName: 'lo',
    result: { cniVersion: '0.3.1', interfaces: [{ mac: '00:00:00:00:00:00', name: 'lo', sandbox }] },
  });

describe('isResultBelow', () => {
  it.each([
    ['below', result('/run/nodelet/containerd/run/cri/netns/cni-1'), true],
    ['beside', result('/run/nodelet/containerd2/netns/cni-1'), false],
    ['elsewhere', result('/var/run/netns/cni-1'), false],
    ['no interfaces', '{"result":{"ips":[]}}', false],
    ['interfaces of another shape', '{"result":{"interfaces":[null,{},{"sandbox":3}]}}', false],
    ['no result', '{}', false],
    ['no object', 'null', false],
    ['no JSON', '{"result":', false],
  ])('%s', (_, text, below) => {
    expect(isResultBelow(text, '/run/nodelet/containerd')).toBe(below);
  });
});

describe('removeResults', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'cni-results-'));
  });
  afterEach(() => rm(folder, { recursive: true }));

  it('takes its network’s and its loopbacks, by sandbox or by namespace, and leaves the others', async () => {
    const files = {
      'nodelet0-aaa-eth0': '{}',
      'cni-loopback-aaa-lo': 'cut off',
      'cni-loopback-bbb-lo': result('/run/x/netns/1'),
      'cni-loopback-ccc-lo': result('/run/y/netns/1'),
      'cbr0-ddd-eth0': result('/run/y/netns/1'),
    };
    for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
    await removeResults('nodelet0', '/run/x', folder);
    expect((await readdir(folder)).toSorted()).toEqual(['cbr0-ddd-eth0', 'cni-loopback-ccc-lo']);
    await removeResults('nodelet0', '/run/x', join(folder, 'missing'));
  });

  it('leaves what is no result of ours', async () => {
    await mkdir(join(folder, 'sub'));
    await removeResults('nodelet0', '/run/x', folder);
    expect(await readdir(folder)).toEqual(['sub']);
  });
});
