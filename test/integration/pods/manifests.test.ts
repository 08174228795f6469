import { describe, expect, test } from 'vitest';
import { container, identity, isRunning, podManifest, untilTerm } from '#test/bed/manifests.ts';
import { useNode } from './node.ts';

const node = useNode();
const version = (name: string, value: string): string =>
  podManifest(name, [container('main', untilTerm, { env: [{ name: 'V', value }] })]);
const shows = (value: string) => (view: Parameters<typeof isRunning>[0]) =>
  isRunning(view) && view.pod.spec?.containers[0]?.env?.[0]?.value === value;

describe('the directory of manifests', () => {
  test('several documents in a file: added, changed and removed one by one', async () => {
    await node.agent.write('many.yaml', version('one', '1'), version('two', '1'));
    const one = identity(await node.agent.waitForPod('one', isRunning));
    await node.agent.waitForPod('two', isRunning);
    await node.agent.write('many.yaml', version('one', '1'), version('three', '1'));
    await node.agent.waitForGone('two');
    await node.agent.waitForPod('three', isRunning);
    expect(identity(await node.agent.waitForPod('one', isRunning))).toEqual(one);
  });

  test('a broken edit keeps the last good version, says what is wrong, and is over once mended', async () => {
    await node.agent.write('edit.yaml', version('edit', '1'));
    const before = identity(await node.agent.waitForPod('edit', shows('1')));
    await node.agent.write('edit.yaml', version('edit', '2').replace('"name":"main"', '"name":"Main!"'));
    const [problem] = await node.agent.waitFor(async () => {
      const problems = await node.agent.client.problems();
      return problems.length > 0 && problems;
    });
    expect(problem).toMatchObject({ field: 'spec.containers[0].name', value: '"Main!"', lastGoodRuns: true });
    expect(problem?.origin).toContain('edit.yaml');
    expect(identity(await node.agent.waitForPod('edit', shows('1')))).toEqual(before);
    expect((await node.agent.cli('get', 'pods')).stderr).toContain('1 manifest is not in force');
    expect((await node.agent.cli('get', 'problems')).stdout).toMatch(
      /edit\.yaml.*spec\.containers\[0\]\.name/s,
    );
    expect((await node.agent.cli('explain', 'pod', 'edit')).stdout).toMatch(/The last good version runs on/);

    // The last good version also survives the agent, which finds only the broken file.
    await node.agent.kill9();
    await node.agent.restart();
    expect(identity(await node.agent.waitForPod('edit', shows('1')))).toEqual(before);

    await node.agent.write('edit.yaml', version('edit', '3'));
    await node.agent.waitForPod('edit', shows('3'));
    await node.agent.waitFor(async () => (await node.agent.client.problems()).length === 0);
  });

  test('files that are no manifests are left alone', async () => {
    for (const file of ['.hidden.yaml', 'backup.yaml~', 'edit.yaml.swp', 'notes.txt'])
      await node.agent.write(file, version('stray', '1'));
    await node.agent.write('marker.yaml', version('marker', '1'));
    await node.agent.waitForPod('marker', isRunning);
    expect(await node.agent.pod('stray')).toBeUndefined();
  });

  test('a pod that needs the API is refused with a reason', async () => {
    await node.agent.write(
      'api.yaml',
      podManifest('api', [container('main')], {
        volumes: [{ name: 'v', persistentVolumeClaim: { claimName: 'data' } }],
      }),
    );
    const problem = await node.agent.waitFor(async () => (await node.agent.client.problems())[0]);
    expect(problem).toMatchObject({ lastGoodRuns: false });
    expect(problem.field).toMatch(/^spec\.volumes\[0\]/);
    await node.agent.remove('api.yaml');
    await node.agent.waitFor(async () => (await node.agent.client.problems()).length === 0);
  });
});

describe('apply and delete', () => {
  test('an applied pod outlives the agent, and goes when it is deleted', async () => {
    const created = await node.agent.cliWithInput(version('applied', '1'), 'apply', '-f', '-');
    expect(created).toMatchObject({ code: 0, stdout: 'pod/applied created\n' });
    const before = identity(await node.agent.waitForPod('applied', shows('1')));
    await node.agent.kill9();
    await node.agent.restart();
    expect(identity(await node.agent.waitForPod('applied', shows('1')))).toEqual(before);
    const changed = await node.agent.cliWithInput(version('applied', '2'), 'apply', '-f', '-');
    expect(changed.stdout).toBe('pod/applied configured\n');
    await node.agent.waitForPod('applied', shows('2'));
    expect((await node.agent.cliWithInput(version('applied', '2'), 'apply', '-f', '-')).stdout).toBe(
      'pod/applied unchanged\n',
    );
    expect(await node.agent.cli('delete', 'pod', 'applied')).toMatchObject({
      code: 0,
      stdout: 'pod "applied-n1" deleted\n',
    });
    await node.agent.waitForGone('applied');
    await node.agent.restart();
    expect(await node.agent.pod('applied')).toBeUndefined();
  });

  test('what comes from a file can’t be deleted, and a bad manifest isn’t applied', async () => {
    await node.agent.write('file.yaml', version('file', '1'));
    await node.agent.waitForPod('file', isRunning);
    const refused = await node.agent.cli('delete', 'pod', 'file');
    expect(refused.code).toBe(1);
    expect(refused.stderr).toMatch(/was not applied but comes from file .*file\.yaml: remove it there/);
    const bad = await node.agent.cliWithInput(
      'kind: Pod\napiVersion: v1\nmetadata: {name: bad}\nspec: {containers: []}\n',
      'apply',
      '-f',
      '-',
    );
    expect(bad.code).toBe(1);
    expect(bad.stderr).toContain('spec.containers');
  });
});
