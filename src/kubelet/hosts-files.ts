import { readBoundedBytes } from '#host/bounded-read.ts';
import { rewriteFile } from '#host/rewrite-file.ts';
import { NotFoundError } from '#lib/errors.ts';
import type { AgentPod, Container } from '#lib/kube/types.ts';
import { ETC_HOSTS, type Paths, etcHostsPath, podDir } from './paths.ts';
import type { HostsFiles } from './pod/ports.ts';
import { ContainerConfigError } from './spec/config-error.ts';
import { HOSTS_PATH, hostNetworkHosts, managedHosts } from './spec/hosts-file.ts';
import { podHostname } from './spec/pod-hostname.ts';

/** The node's own file goes into every pod on the node's network. */
const MAX_NODE_HOSTS_BYTES = 1024 * 1024;

/** Each pod's /etc/hosts in its directory, `ROOT/pods/UID/etc-hosts`; it goes with that. */
export class ManagedHostsFiles implements HostsFiles {
  readonly #paths: Paths;
  readonly #clusterDomain: string;
  /** The node's own file. */
  readonly #nodeHosts: string;

  constructor(paths: Paths, clusterDomain: string, nodeHosts = HOSTS_PATH) {
    this.#paths = paths;
    this.#clusterDomain = clusterDomain;
    this.#nodeHosts = nodeHosts;
  }

  async prepare(pod: AgentPod, container: Container, podIps: readonly string[]): Promise<string | undefined> {
    const { metadata, spec } = pod;
    if (podIps.length === 0 && spec.hostNetwork !== true) return undefined;
    if (container.volumeMounts?.some(({ mountPath }) => isHostsPath(mountPath)) === true) return undefined;
    const text =
      spec.hostNetwork === true
        ? hostNetworkHosts(await this.#nodeText(), spec.hostAliases)
        : Buffer.from(managedHosts(podIps, podHostname(pod, this.#clusterDomain), spec.hostAliases));
    const folder = podDir(this.#paths, metadata.uid);
    // In place, for the pod's other containers have this very file mounted. They may write to it: what they wrote goes,
    // as upstream.
    const done = await rewriteFile({ root: this.#paths.root, folder, name: ETC_HOSTS }, text, 0o644);
    if (!done) throw new NotFoundError(`the folder ${folder} is gone`);
    return etcHostsPath(this.#paths, metadata.uid);
  }

  async #nodeText(): Promise<Uint8Array> {
    try {
      return (await readBoundedBytes(this.#nodeHosts, MAX_NODE_HOSTS_BYTES)).bytes;
    } catch (cause) {
      throw new ContainerConfigError(`the node's hosts file ${this.#nodeHosts} can't be read`, { cause });
    }
  }
}

const isHostsPath = (mountPath: string): boolean =>
  `/${mountPath.split('/').filter(Boolean).join('/')}` === HOSTS_PATH;
