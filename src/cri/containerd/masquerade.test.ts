import { beforeEach, expect, test } from 'vitest';
import { ensureMasquerade, masqueradeComment, masqueradedRanges } from './masquerade.ts';

/** As iptables prints it. */
const printed = (network: string, range: string): string =>
  `-A POSTROUTING -s ${range} ! -d ${range} -m comment --comment "${masqueradeComment(network)}" -j MASQUERADE`;
const others = [
  '-P POSTROUTING ACCEPT',
  '-A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE',
  printed('nodelet01', '10.1.0.0/16'),
];

let calls: string[];
beforeEach(() => {
  calls = [];
});

const ensure = (range: string, ...rules: string[]): Promise<void> =>
  ensureMasquerade({
    iptables: '/sbin/iptables',
    network: 'nodelet0',
    range,
    env: {},
    signal: AbortSignal.timeout(1000),
    runner: (program, args) => {
      expect([program, ...args.slice(0, 4)]).toEqual(['/sbin/iptables', '--wait', '10', '--table', 'nat']);
      const [command, ...rest] = args.slice(4);
      if (command !== '--list-rules') calls.push(`${command} ${rest[rest.indexOf('--source') + 1]}`);
      return Promise.resolve({ stdout: [...others, ...rules, ''].join('\n'), stderr: '' });
    },
  });

test.each<[string, string, string[], string[]]>([
  ['is made where there is none', '10.87.0.0/16', [], ['--append 10.87.0.0/16']],
  ['stays', '10.87.0.0/16', ['10.87.0.0/16'], []],
  ['stays, however the range is written', '10.87.3.1/16', ['10.87.0.0/16'], []],
  ['follows the range', '10.9.0.0/24', ['10.87.0.0/16'], ['--delete 10.87.0.0/16', '--append 10.9.0.0/24']],
  ['is there once', '10.87.0.0/16', ['10.87.0.0/16', '10.87.0.0/16'], ['--delete 10.87.0.0/16']],
])('the rule %s', async (_, range, there, expected) => {
  await ensure(range, ...there.map((each) => printed('nodelet0', each)));
  expect(calls).toEqual(expected);
});

test('rules of others, and of networks with a like name, are not taken for it', () => {
  expect(masqueradedRanges(others.join('\n'), 'nodelet0')).toEqual([]);
  expect(masqueradedRanges(others.join('\n'), 'nodelet01')).toEqual(['10.1.0.0/16']);
});
