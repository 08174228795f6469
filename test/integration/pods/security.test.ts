import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { container, hasPhase, podManifest, statusOf } from '#test/bed/manifests.ts';
import type { Container, PodSpec } from '#lib/kube/types.ts';
import { useNode } from './node.ts';

const node = useNode();
type Own = NonNullable<Container['securityContext']>;

/** What the script prints in a container that is made so. */
async function printed(name: string, script: string, own: Own, spec: Partial<PodSpec> = {}): Promise<string> {
  const main = container('main', script, { securityContext: own });
  const manifest = podManifest(name, [main], { restartPolicy: 'Never', ...spec });
  await node.agent.write(`${name}.yaml`, manifest);
  await node.agent.waitForPod(name, hasPhase('Succeeded'));
  return (await node.agent.cli('logs', name)).stdout;
}

const STATUS = "grep -E '^(NoNewPrivs|Seccomp|CapBnd):' /proc/self/status | tr -d '\\t'";

describe.concurrent('the security context reaches the process', () => {
  test('capabilities, no_new_privs, seccomp', async () => {
    const strict = await printed('strict', STATUS, {
      capabilities: { drop: ['ALL'], add: ['CHOWN'] },
      allowPrivilegeEscalation: false,
      seccompProfile: { type: 'RuntimeDefault' },
    });
    expect(strict.split('\n')).toEqual(['CapBnd:0000000000000001', 'NoNewPrivs:1', 'Seccomp:2', '']);
    const plain = await printed('plain', STATUS, {});
    expect(plain).toContain('NoNewPrivs:0');
    expect(plain).not.toContain('CapBnd:0000000000000001');
  });

  test('a seccomp profile of the node’s', async () => {
    const folder = join(node.agent.rootDir, 'seccomp/profiles');
    await mkdir(folder, { recursive: true });
    const profile = {
      defaultAction: 'SCMP_ACT_ALLOW',
      syscalls: [{ names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_ERRNO' }],
    };
    await writeFile(join(folder, 'no-mkdir.json'), JSON.stringify(profile));
    const said = await printed('local', 'mkdir /tmp/x 2>/dev/null || echo refused', {
      seccompProfile: { type: 'Localhost', localhostProfile: 'profiles/no-mkdir.json' },
    });
    expect(said).toBe('refused\n');
  });

  test('a read-only root, and masked paths', async () => {
    const script =
      'touch /x 2>/dev/null || echo read-only; head -c1 /proc/interrupts | wc -c; touch /proc/sys/kernel/x 2>/dev/null || echo guarded';
    expect(await printed('masked', script, { readOnlyRootFilesystem: true })).toBe('read-only\n0\nguarded\n');
  });

  test('a sysctl with slashes', async () => {
    const said = await printed(
      'sysctl',
      'cat /proc/sys/net/ipv4/ip_unprivileged_port_start',
      {},
      {
        securityContext: { sysctls: [{ name: 'net/ipv4/ip_unprivileged_port_start', value: '500' }] },
      },
    );
    expect(said).toBe('500\n');
  });
});

describe.concurrent('what can’t be given is refused', () => {
  test('runAsNonRoot with an image that runs as root', async () => {
    const main = container('main', undefined, { securityContext: { runAsNonRoot: true } });
    await node.agent.write('root.yaml', podManifest('root', [main]));
    const view = await node.agent.waitForPod(
      'root',
      (each) => statusOf(each)?.state?.waiting?.reason === 'CreateContainerConfigError',
    );
    expect(statusOf(view)?.state?.waiting?.message).toMatch(
      /^container has runAsNonRoot and image will run as root \(pod: "root-n1_default\(/,
    );
  });

  test('users of its own, where they can’t be mapped', async () => {
    await node.agent.write('users.yaml', podManifest('users', [container('main')], { hostUsers: false }));
    await node.agent.waitFor(async () => {
      const waits = (await node.agent.pod('users'))?.waits ?? [];
      return waits.some(
        ({ reason, message }) =>
          reason === 'FailedCreatePodSandBox' && message.startsWith("can't set `spec.hostUsers: false`, "),
      );
    });
  });
});
