import { afterAll } from 'vitest';
import { connect } from '#cri/grpc/connect.ts';
import type { RuntimeConnection } from '#cri/grpc/connect.ts';
import { containerConfig } from '#cri/testing/configs.ts';
import { runtimeContract } from '#cri/testing/contract.ts';
import type { Act } from '#cri/testing/contract.ts';
import { systemClock } from '#host/clock.ts';
import { containerdVersion, startContainerd } from '#test/bed/containerd.ts';
import type { TestContainerd } from '#test/bed/containerd.ts';

let containerd: TestContainerd | undefined;
let connection: RuntimeConnection | undefined;

afterAll(async () => {
  connection?.close();
  await containerd?.destroy();
});

function commandOf(act: Act): string[] {
  if (act === 'runs') return ['/bin/sh', '-c', 'trap "exit 143" TERM; while :; do sleep 0.05; done'];
  // The kernel drops signals that process 1 has no handler for.
  if (act === 'ignores TERM') return ['/bin/sleep', '1000'];
  if (act === 'cannot start') return ['/no/such/program'];
  return ['/bin/sh', '-c', `exit ${act.exits}`];
}

runtimeContract(async () => {
  containerd = await startContainerd();
  connection = await connect(containerd.endpoint, { clock: systemClock });
  const { image } = containerd;
  const [major = 0, minor = 0] = await containerdVersion();
  return {
    runtime: connection.runtime,
    images: connection.images,
    image,
    events: major > 1 || minor >= 7,
    version2: major >= 2,
    container: (name, act, attempt = 0) => containerConfig(name, image, { command: commandOf(act), attempt }),
  };
});
