import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const read = (name: string): string =>
  readFileSync(fileURLToPath(new URL(`../../../${name}`, import.meta.url)), 'utf8');

/** What is of a checkout in the README and of an installed service on the page. */
const own = /^(npm|bin\/nodelet|--bootstrap-kubeconfig|install .*kubelet-config)/;

test('README: the steps of joining are those of docs/joining.md, which are run against a cluster', () => {
  const section =
    read('README.md')
      .split(/^## /m)
      .find((each) => each.startsWith('Join a cluster')) ?? '';
  const commands = [...section.matchAll(/```sh\n([\s\S]*?)```/g)]
    .flatMap(([, text = '']) => text.split('\n'))
    .map((line) => line.trim())
    .filter((line) => line !== '' && !own.test(line));
  expect(commands.length).toBeGreaterThan(12);
  const page = read('docs/joining.md');
  expect(commands.filter((line) => !page.includes(line))).toEqual([]);
});
