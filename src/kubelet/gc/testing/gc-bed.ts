import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { containerConfig, sandboxConfig } from '#cri/testing/configs.ts';
import { FakeRuntime } from '#cri/testing/fake-runtime.ts';
import { silentLogger } from '#lib/logger.ts';
import { FakeClock } from '#lib/testing/fake-clock.ts';
import { type Paths, containerLogLink, containerLogPath, podContainerDir, podLogDir } from '../../paths.ts';
import { GarbageCollector } from '../garbage-collector.ts';
import type { GarbageCollectorParts } from '../garbage-collector.ts';
import type { BlockedPod } from '../pods.ts';

/** A collector with a fake runtime and real folders. */
export function gcBed() {
  const top = mkdtempSync(join(tmpdir(), 'gc-'));
  const paths: Paths = {
    root: join(top, 'kubelet'),
    podLogs: join(top, 'pods'),
    containerLogs: join(top, 'containers'),
  };
  for (const path of [join(paths.root, 'pods'), paths.podLogs, paths.containerLogs]) {
    mkdirSync(path, { recursive: true });
  }
  const clock = new FakeClock();
  const runtime = new FakeRuntime(clock);
  const bed = {
    paths,
    clock,
    runtime,
    desired: new Set<string>() as Set<string> | undefined,
    protected: new Set<string>(),
    mounts: [] as string[],
    cgroups: new Set<string>(),
    reports: [] as BlockedPod[][],
    tornDown: [] as string[],
    onTearDown: (_uid: string): void => undefined,
    /** Before each piece of work on a pod's folders. */
    onExclusive: (_uid: string): void => undefined,
    exists: (path: string): boolean => existsSync(path),
    collector: (more: Partial<GarbageCollectorParts> = {}) => new GarbageCollector({ ...parts, ...more }),
    podDir: (name: string): string => join(paths.root, 'pods', `uid-${name}`),
    logDir: (name: string): string => podLogDir(paths, { namespace: 'default', name, uid: `uid-${name}` }),

    async sandbox(name: string, state: 'ready' | 'dead', attempt = 0): Promise<string> {
      await clock.advance(1000);
      const id = await runtime.runPodSandbox(
        sandboxConfig(name, { attempt, logDirectory: bed.logDir(name) }),
        '',
      );
      if (state === 'dead') await runtime.stopPodSandbox(id);
      return id;
    },

    /** A container with its log, a rotated log, its link and its termination message's file. */
    async container(sandboxId: string, pod: string, name: string, attempt: number, runs = false) {
      await clock.advance(1000);
      const identity = { namespace: 'default', name: pod, uid: `uid-${pod}` };
      const log = join(bed.logDir(pod), containerLogPath(name, attempt));
      const message = join(podContainerDir(paths, identity.uid, name), `m${attempt}`);
      const config = containerConfig(name, 'image', {
        attempt,
        logPath: containerLogPath(name, attempt),
        labels: {
          'io.kubernetes.pod.name': pod,
          'io.kubernetes.pod.namespace': 'default',
          'io.kubernetes.pod.uid': identity.uid,
          'io.kubernetes.container.name': name,
        },
        mounts: [{ containerPath: '/dev/termination-log', hostPath: message, readonly: false }],
      });
      const id = await runtime.createContainer(sandboxId, config, sandboxConfig(pod));
      await runtime.startContainer(id);
      if (!runs) runtime.exit(id, 1);
      const link = containerLogLink(paths, identity, name, id);
      const files = [log, `${log}.20260102-030405.gz`, message];
      for (const path of files) {
        mkdirSync(dirname(path), { recursive: true });
        writeFileSync(path, '');
      }
      symlinkSync(log, link);
      return { id, log, link, message, files: [...files, link] };
    },

    ids: (): string[] => [...runtime.machine.containers.keys(), ...runtime.machine.sandboxes.keys()],
    [Symbol.dispose]: () => rmSync(top, { recursive: true, force: true }),
  };
  const parts: GarbageCollectorParts = {
    runtime,
    paths,
    pods: {
      desiredUids: () => bed.desired,
      isProtected: (id) => bed.protected.has(id),
      async exclusively(uid, work) {
        bed.onExclusive(uid);
        return work();
      },
    },
    volumes: {
      tearDown(uid) {
        bed.tornDown.push(uid);
        bed.onTearDown(uid);
        return Promise.resolve();
      },
    },
    cgroups: {
      list: () => Promise.resolve(bed.cgroups),
      remove(uid) {
        bed.cgroups.delete(uid);
        return Promise.resolve();
      },
    },
    mountPoints: () => Promise.resolve(bed.mounts),
    onBlocked: (pods) => void bed.reports.push([...pods]),
    clock,
    logger: silentLogger,
  };
  return bed;
}
