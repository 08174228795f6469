import { describe, expect, test } from 'vitest';
import { parseStandalone, type StandaloneOptions } from './standalone-options.ts';

function options(...args: string[]): StandaloneOptions {
  const command = parseStandalone(args, 'host');
  if (command.kind !== 'run') throw new Error(`not run: ${command.kind}`);
  return command.options;
}

describe('parseStandalone', () => {
  test('defaults', () => {
    expect(options()).toMatchObject({
      nodeName: 'host',
      manifestsDir: '/etc/nodelet/manifests',
      containerRuntimeEndpoint: undefined,
      rootDir: '/var/lib/nodelet/kubelet',
      stateDir: '/run/nodelet',
      runtimeRoot: '/var/lib/nodelet/containerd',
      appliedDir: '/var/lib/nodelet/applied',
      podCidr: undefined,
      socket: '/run/nodelet/nodelet.sock',
      cleanup: false,
    });
  });

  test('the socket lies in the state directory unless it is given', () => {
    expect(options('--state-dir=/run/x').socket).toBe('/run/x/nodelet.sock');
    expect(options('--state-dir=/run/x', '--socket=/tmp/s').socket).toBe('/tmp/s');
  });

  test('several URLs, commas and all', () => {
    expect(options('--manifest-url=http://a/x?l=1,2', '--manifest-url', 'https://b/').manifestUrls).toEqual([
      'http://a/x?l=1,2',
      'https://b/',
    ]);
  });
});
