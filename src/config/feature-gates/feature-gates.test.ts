import { describe, expect, test } from 'vitest';
import { UsageError } from '#lib/errors.ts';
import { FeatureGates, readFeatureGates, wiredGates } from './feature-gates.ts';
import { dependencies, features } from './features.ts';

const read = (set: Record<string, boolean>) => readFeatureGates(set, 'flag --feature-gates');

describe('the table', () => {
  test('holds with its own defaults', () => {
    expect(read({}).warnings).toEqual([]);
    const all = Object.fromEntries([...features].map(([name, spec]) => [name, spec.default]));
    expect(read(all).warnings).toEqual([]);
  });

  test('knows what depends on what, and what is wired', () => {
    const named = Object.entries(dependencies).flatMap(([name, needed]) => [name, ...needed]);
    const unknown = [...named, ...wiredGates].filter(
      (name) => !features.has(name) && !name.startsWith('All'),
    );
    expect(unknown).toEqual([]);
  });

  test.each([
    ['EventedPLEG', 'alpha', false, false],
    ['GracefulNodeShutdown', 'beta', true, false],
    ['SELinuxMount', 'beta', false, false],
    ['SidecarContainers', 'ga', true, true],
    ['CustomCPUCFSQuotaPeriod', 'ga', true, false],
    ['GitRepoVolumeDriver', 'deprecated', false, true],
    ['ContextualLogging', 'beta', true, false],
  ])('%s is %s', (name, stage, initial, locked) => {
    expect(features.get(name)).toEqual({ stage, default: initial, locked });
  });
});

describe('FeatureGates', () => {
  test.each([
    [{}, 'MemoryQoS', false],
    [{}, 'NodeSwap', true],
    [{ MemoryQoS: true }, 'MemoryQoS', true],
    [{ AllAlpha: true }, 'MemoryQoS', true],
    [{ AllAlpha: true, MemoryQoS: false }, 'MemoryQoS', false],
    [{ AllBeta: false }, 'EnvFiles', false],
    [{ AllBeta: false }, 'NodeSwap', true],
    [{}, 'NoSuchGate', false],
  ])('%j: %s is %s', (set, name, enabled) => {
    expect(new FeatureGates(set).enabled(name)).toBe(enabled);
  });
});

describe('readFeatureGates', () => {
  test.each<[Record<string, boolean>, RegExp]>([
    [
      { MemoryQoSs: true },
      /^flag --feature-gates: "MemoryQoSs" is no feature gate .*; did you mean MemoryQoS\?/,
    ],
    [{ NodeSwap: false }, /NodeSwap=false is not allowed; allowed: true/],
    [
      { GracefulNodeShutdown: false },
      /GracefulNodeShutdownBasedOnPodPriority is on, but GracefulNodeShutdown/,
    ],
  ])('%j is wrong', (set, message) => {
    expect(() => read(set)).toThrow(UsageError);
    expect(() => read(set)).toThrow(message);
  });

  test('a gate that nobody asks is a warning, unless it asks for its default', () => {
    expect(read({ EventedPLEG: true, NodeSwap: true, MemoryQoS: true, EnvFiles: false }).warnings).toEqual([
      'flag --feature-gates: EventedPLEG=true, EnvFiles=false has no effect in this version of nodelet',
    ]);
  });
});
