import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { kubeletFlags } from './kubelet-flags.ts';
import { standaloneFlags } from './standalone-flags.ts';

test('docs/cli.md names every flag, with its default where it has an effect', async () => {
  const text = await readFile(new URL('../../../docs/cli.md', import.meta.url), 'utf8');
  const words = text.replaceAll(/[^\S\n]+/g, ' ');
  const missing = [...kubeletFlags, ...standaloneFlags].filter(
    ({ name, type, default: initial, state }) =>
      name !== 'help' &&
      !words.includes(
        state === 'removed'
          ? `\`--${name}\``
          : `| \`--${name}\` | ${type} | ${initial === '' ? '' : `\`${initial}\` `}|`,
      ),
  );
  expect(missing.map(({ name }) => name)).toEqual([]);
});
