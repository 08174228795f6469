import { describe, expect, test } from 'vitest';
import { UsageError } from '#lib/errors.ts';
import type { FlagSpec, FlagType } from './flag.ts';
import { parseFlags } from './parse.ts';

const spec = (name: string, type: FlagType, extra: Partial<FlagSpec> = {}): FlagSpec => ({
  name,
  type,
  default: '',
  help: '',
  state: 'works',
  ...extra,
});

const specs = [
  spec('root-dir', 'string'),
  spec('fail-swap-on', 'bool'),
  spec('v', 'int', { short: 'v', min: 0, max: 10 }),
  spec('sync-frequency', 'duration'),
  spec('container-log-max-size', 'quantity', { min: 1 }),
  spec('cluster-dns', 'list'),
  spec('node-labels', 'map'),
  spec('feature-gates', 'gates'),
  spec('eviction-hard', 'thresholds'),
  spec('manifest-url-header', 'headers'),
  spec('cgroup-driver', 'string', { oneOf: ['cgroupfs', 'systemd'] }),
  spec('address', 'ip'),
  spec('pod-cidr', 'cidr'),
  spec('reserved-memory', 'strings'),
  spec('stdin', 'bool', { short: 'i' }),
  spec('tty', 'bool', { short: 't' }),
  spec('container', 'string', { short: 'c' }),
];

const daemon = (...args: string[]) => parseFlags(specs, args, { singleDashIsLong: true });
const command = (...args: string[]) => parseFlags(specs, args, { singleDashIsLong: false });

describe('daemon flags', () => {
  test.each<[string[], string, unknown]>([
    [['--root-dir', '/a'], 'root-dir', '/a'],
    [['--root-dir=/a=b'], 'root-dir', '/a=b'],
    [['-root-dir', '/a'], 'root-dir', '/a'],
    [['-root-dir=/a'], 'root-dir', '/a'],
    [['--root_dir=/a'], 'root-dir', '/a'],
    [['--root-dir='], 'root-dir', ''],
    [['--root-dir', '--weird'], 'root-dir', '--weird'],
    [['--root-dir=/a', '--root-dir=/b'], 'root-dir', '/b'],
    [['--fail-swap-on'], 'fail-swap-on', true],
    [['--fail-swap-on=false'], 'fail-swap-on', false],
    [['--fail-swap-on=F'], 'fail-swap-on', false],
    [['-v=2'], 'v', 2],
    [['-v2'], 'v', 2],
    [['-v', '2'], 'v', 2],
    [['--v=2'], 'v', 2],
    [['--sync-frequency=1m30s'], 'sync-frequency', 90_000],
    [['--container-log-max-size=10Mi'], 'container-log-max-size', 10_485_760],
    [
      ['--cluster-dns=10.0.0.1,10.0.0.2', '--cluster-dns=fd00::1'],
      'cluster-dns',
      ['10.0.0.1', '10.0.0.2', 'fd00::1'],
    ],
    [['--node-labels=a=1,b=2', '--node-labels=b=3,c='], 'node-labels', { a: '1', b: '3', c: '' }],
    [['--feature-gates=A=true,B=false'], 'feature-gates', { A: 'true', B: 'false' }],
    [
      ['--eviction-hard=memory.available<1Gi,nodefs.available<10%'],
      'eviction-hard',
      { 'memory.available': '1Gi', 'nodefs.available': '10%' },
    ],
    [
      ['--manifest-url-header=a:hello,b:again', '--manifest-url-header', 'b:beautiful,c:x:y'],
      'manifest-url-header',
      { a: ['hello'], b: ['again', 'beautiful'], c: ['x:y'] },
    ],
    [['--address=::'], 'address', '::'],
    [['--pod-cidr=10.0.0.0/16'], 'pod-cidr', '10.0.0.0/16'],
    [
      ['--reserved-memory', '0:memory=1Gi,x=2', '--reserved-memory', 'y'],
      'reserved-memory',
      ['0:memory=1Gi,x=2', 'y'],
    ],
  ])('%j', (args, name, value) => {
    expect(daemon(...args).values.get(name)).toEqual(value);
  });

  test.each<[string[], RegExp]>([
    [['--rootdir=/a'], /unknown flag --rootdir; did you mean --root-dir\?/],
    [['--cgroup-drvier', 'systemd'], /unknown flag --cgroup-drvier; did you mean --cgroup-driver\?/],
    [['--zzzzzzzzzzzz'], /^unknown flag --zzzzzzzzzzzz$/],
    [['--root-dir'], /flag --root-dir needs a value/],
    [['--fail-swap-on', 'false'], /takes its value only as --fail-swap-on=false/],
    [['--fail-swap-on=nein'], /flag --fail-swap-on: "nein" is not allowed; allowed: true or false/],
    [['--v=11'], /flag --v: "11" is not allowed; allowed: a whole number from 0 to 10/],
    [['--v=two'], /"two" is not allowed/],
    [['--sync-frequency=20'], /flag --sync-frequency: "20" is not allowed; allowed: a duration such as/],
    [['--container-log-max-size=0'], /allowed: a quantity .* from 1 up/],
    [['--cgroup-driver=cgroup2'], /"cgroup2" is not allowed; allowed: cgroupfs, systemd/],
    [['--address=localhost'], /allowed: an IP address/],
    [['--pod-cidr=10.0.0.0/33'], /allowed: a range/],
    [['--node-labels=a'], /allowed: comma-separated key=value pairs/],
    [['--feature-gates=A=maybe'], /allowed: comma-separated name=true\|false pairs/],
  ])('%j is wrong', (args, message) => {
    expect(() => daemon(...args)).toThrow(UsageError);
    expect(() => daemon(...args)).toThrow(message);
  });

  test('a header’s value is never repeated', () => {
    expect(() => daemon('--manifest-url-header=s3cr3t')).not.toThrow(/s3cr3t/);
  });
});

describe('command flags', () => {
  test('clusters of letters, words, and the words after --', () => {
    const parsed = command('web', '-it', '-c', 'app', '--', 'ls', '-l');
    expect(Object.fromEntries(parsed.values)).toEqual({ stdin: true, tty: true, container: 'app' });
    expect(parsed.rest).toEqual(['web', 'ls', '-l']);
    expect(parsed.afterDashes).toEqual(['ls', '-l']);
  });

  test.each([
    [['-capp'], 'app'],
    [['-c=app'], 'app'],
    [['-itcapp'], 'app'],
    [['-itc', 'app'], 'app'],
  ])('%j names a container', (args, container) => {
    expect(command(...args).values.get('container')).toBe(container);
  });

  test('a single dash is no long flag', () => {
    expect(() => command('-root-dir=/a')).toThrow(/unknown flag -r in -root-dir=\/a/);
  });

  test('flags of the command to run are left alone', () => {
    const parsed = parseFlags(specs, ['-i', 'web', 'ls', '-l', '--', 'x'], {
      singleDashIsLong: false,
      stopAfterWords: 2,
    });
    expect(parsed.rest).toEqual(['web', 'ls', '-l', '--', 'x']);
    expect(parsed.afterDashes).toBeUndefined();
  });
});
