/** An ImageManager on a real runtime, with a root folder of its own. */
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { connect } from '#cri/grpc/connect.ts';
import { systemClock } from '#host/clock.ts';
import { ImageManager } from '#kubelet/images/image-manager.ts';
import type { ImageManagerOptions } from '#kubelet/images/image-manager.ts';
import { NodeCredentials, nodeCredentialPaths } from '#kubelet/images/node-credentials.ts';
import { PodCredentials } from '#kubelet/images/pod-credentials.ts';
import { FilePullSecrets, pullSecretsDir } from '#kubelet/images/pull-secrets.ts';
import { RecordFiles } from '#kubelet/images/records/files.ts';
import { PullRecords } from '#kubelet/images/records/pull-records.ts';
import { verificationPolicy } from '#kubelet/images/verification-policy.ts';
import type { ImageState } from '#kubelet/pod/ports.ts';
import type { AgentPod } from '#lib/kube/types.ts';
import { silentLogger } from '#lib/logger.ts';

export interface ImageNode {
  readonly root: string;
  readonly manager: ImageManager;
  readonly events: string[];
  request(pod: AgentPod, image: string, imagePullPolicy?: string): void;
  state(pod: AgentPod): ImageState;
  /** Waits for a state of which `holds` is true; rejects with the last one after `timeoutMs`. */
  until(pod: AgentPod, holds: (state: ImageState) => boolean, timeoutMs?: number): Promise<ImageState>;
  /** Requests, and waits for the first outcome. */
  ensure(pod: AgentPod, image: string, imagePullPolicy?: string): Promise<ImageState>;
  pullSecret(name: string, host: string, login: string): Promise<void>;
  /** Names of the records: `pulling` or `pulled`. */
  records(kind: 'pulling' | 'pulled'): Promise<string[]>;
  /** Ends the manager; the folder stays unless `remove`. */
  close(remove?: boolean): Promise<void>;
}

export const makePod = (name: string, ...secrets: string[]): AgentPod => ({
  metadata: { name, namespace: 'default', uid: `uid-${name}` },
  spec: { containers: [], imagePullSecrets: secrets.map((secret) => ({ name: secret })) },
});

export async function startImageNode(
  endpoint: string,
  options: ImageManagerOptions & { root?: string } = {},
): Promise<ImageNode> {
  const root = options.root ?? (await mkdtemp(join(tmpdir(), 'images-')));
  const connection = await connect(endpoint, { clock: systemClock });
  const service = connection.images;
  const events: string[] = [];
  const records = new PullRecords(
    new RecordFiles(root, silentLogger),
    verificationPolicy('NeverVerifyPreloadedImages'),
    service,
    systemClock,
    silentLogger,
  );
  const manager = new ImageManager({
    service,
    records,
    credentials: new PodCredentials({
      secrets: new FilePullSecrets(pullSecretsDir(root), silentLogger),
      node: new NodeCredentials(nodeCredentialPaths(root, join(root, 'home')), silentLogger),
    }),
    events: {
      event: (pod, _type, reason, message) => events.push(`${pod.metadata.name} ${reason} ${message}`),
    },
    clock: systemClock,
    logger: silentLogger,
    onChange: () => undefined,
    options,
  });
  const state = (pod: AgentPod): ImageState => manager.state(pod.metadata.uid, 'c', 0);
  const node: ImageNode = {
    root,
    manager,
    events,
    state,
    request: (pod, image, imagePullPolicy = 'IfNotPresent') =>
      manager.request({ pod, container: { name: 'c', image, imagePullPolicy }, attempt: 0 }),
    async until(pod, holds, timeoutMs = 30_000) {
      const end = Date.now() + timeoutMs;
      while (!holds(state(pod))) {
        if (Date.now() > end) throw new Error(`still ${JSON.stringify(state(pod))}`);
        await wait(10);
      }
      return state(pod);
    },
    ensure(pod, image, imagePullPolicy) {
      node.request(pod, image, imagePullPolicy);
      return node.until(pod, ({ kind }) => kind === 'ready' || kind === 'failed');
    },
    async pullSecret(name, host, login) {
      const file = join(root, 'pull-secrets', 'default', `${name}.json`);
      const auth = Buffer.from(login).toString('base64');
      await mkdir(dirname(file), { recursive: true });
      await writeFile(file, JSON.stringify({ auths: { [host]: { auth } } }), { mode: 0o600 });
    },
    records: (kind) => readdir(join(root, 'image_manager', kind)),
    async close(remove = true) {
      manager.stop();
      connection.close();
      if (remove) await rm(root, { recursive: true, force: true });
    },
  };
  return node;
}
