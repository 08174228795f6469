import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { connect } from '#cri/grpc/connect.ts';
import type { RuntimeConnection } from '#cri/grpc/connect.ts';
import { containerConfig, sandboxConfig } from '#cri/testing/configs.ts';
import type { ContainerConfig, ContainerStatus } from '#cri/types.ts';
import { systemClock } from '#host/clock.ts';
import { containerLogPath, podLogDir } from '#kubelet/paths.ts';
import type { Paths } from '#kubelet/paths.ts';
import { startContainerd } from '#test/bed/containerd.ts';
import type { TestContainerd } from '#test/bed/containerd.ts';

export interface LogBed {
  containerd: TestContainerd;
  runtime: RuntimeConnection['runtime'];
  paths: Paths;
  /** Runs a pod's sandbox and returns its ID; the pod's UID is `uid-NAME`. */
  pod(name: string, attempt?: number): Promise<string>;
  /** Starts a shell script in the pod. */
  start(
    sandboxId: string,
    pod: string,
    name: string,
    script: string,
    more?: Partial<Omit<ContainerConfig, 'metadata' | 'image'>> & { attempt?: number },
  ): Promise<{ id: string; path: string }>;
  ended(id: string): Promise<ContainerStatus>;
  destroy(): Promise<void>;
}

export async function logBed(): Promise<LogBed> {
  const containerd = await startContainerd();
  const connection = await connect(containerd.endpoint, { clock: systemClock });
  const { runtime } = connection;
  const top = await mkdtemp(join(tmpdir(), 'logs-'));
  const paths = {
    root: join(top, 'kubelet'),
    podLogs: join(top, 'pods'),
    containerLogs: join(top, 'containers'),
  };
  for (const path of Object.values(paths)) await mkdir(path);
  const identity = (name: string) => ({ namespace: 'default', name, uid: `uid-${name}` });
  const sandboxOf = (name: string, attempt = 0) =>
    sandboxConfig(name, { attempt, logDirectory: podLogDir(paths, identity(name)) });
  return {
    containerd,
    runtime,
    paths,
    pod: (name, attempt) => runtime.runPodSandbox(sandboxOf(name, attempt), ''),
    async start(sandboxId, pod, name, script, more = {}) {
      const logPath = containerLogPath(name, more.attempt ?? 0);
      const path = join(podLogDir(paths, identity(pod)), logPath);
      await mkdir(join(path, '..'), { recursive: true });
      const config = containerConfig(name, containerd.image, {
        command: ['/bin/sh', '-c', script],
        logPath,
        labels: { ...sandboxOf(pod).labels, 'io.kubernetes.container.name': name },
        ...more,
      });
      const id = await runtime.createContainer(sandboxId, config, sandboxOf(pod));
      await runtime.startContainer(id);
      return { id, path };
    },
    async ended(id) {
      for (;;) {
        const status = await runtime.containerStatus(id);
        if (status.state === 'CONTAINER_EXITED') return status;
        await pause(50);
      }
    },
    async destroy() {
      for (const { id } of await runtime.listPodSandbox()) {
        await runtime.stopPodSandbox(id);
        await runtime.removePodSandbox(id);
      }
      connection.close();
      await containerd.destroy();
      await rm(top, { recursive: true, force: true });
    },
  };
}
