import { openBeneath } from '#host/beneath.ts';
import { readBounded } from '#host/bounded-read.ts';
import { describeError } from '#lib/errors.ts';
import { MissingReferenceError, type ReferencedObjects } from '#lib/kube/referenced.ts';
import type { ResourceAmounts } from '#lib/kube/resources.ts';
import type { AgentPod, Container } from '#lib/kube/types.ts';
import type { HostVolume } from '../pod/ports.ts';
import { ContainerConfigError } from '../spec/config-error.ts';
import { environment } from '../spec/environment.ts';
import { serviceEnvironment } from '../spec/service-environment.ts';
import type { ServiceLister } from './ports.ts';
import { isStaticPod } from './static-pods.ts';

export interface EnvironmentParts {
  objects: ReferencedObjects;
  /** Undefined where nobody knows of any services. */
  services: Pick<ServiceLister, 'hasSynced' | 'list'> | undefined;
  allocatable(): ResourceAmounts;
  hostIps: readonly string[];
}

export interface EnvironmentWish {
  pod: AgentPod;
  container: Container;
  podIps: readonly string[];
  volumes: ReadonlyMap<string, HostVolume>;
}

/** A file of variables is a short text; what is longer is a mistake or an attack. */
const MAX_FILE_BYTES = 1024 * 1024;

/** Works out containers' variables, with all that they can be taken from. */
export class ContainerEnvironment {
  readonly #parts: EnvironmentParts;

  constructor(parts: EnvironmentParts) {
    this.#parts = parts;
  }

  /** Rejects as `environment` does. */
  async of({ pod, container, podIps, volumes }: EnvironmentWish): Promise<Map<string, string>> {
    const { objects, hostIps } = this.#parts;
    const services = this.#services(pod);
    return environment(container, {
      pod,
      podIps,
      hostIps,
      objects,
      services,
      allocatable: () => this.#parts.allocatable(),
      readFile: (volume, path) => readVolumeFile(volumes.get(volume), volume, path),
    });
  }

  #services(pod: AgentPod): Map<string, string> {
    const { metadata, spec } = pod;
    const { services } = this.#parts;
    if (services === undefined) return new Map();
    // Without the API server's own service a client in the pod would find no server, and never look again.
    if (!services.hasSynced && !isStaticPod(pod)) {
      throw new MissingReferenceError(
        'services have not yet been read at least once, cannot construct envvars',
      );
    }
    return serviceEnvironment(services.list(), metadata.namespace, spec.enableServiceLinks !== false);
  }
}

/** The pod may have put anything there: no link leads out, and no pipe is waited for. */
async function readVolumeFile(volume: HostVolume | undefined, name: string, path: string): Promise<string> {
  if (volume === undefined)
    throw new ContainerConfigError(
      `cannot find the volume ${JSON.stringify(name)} referenced by FileKeyRef: no container mounts it`,
    );
  try {
    const file = await openBeneath(volume.hostPath, path);
    try {
      return (await readBounded(`/proc/self/fd/${file.fd}`, MAX_FILE_BYTES)).text;
    } finally {
      await file.close();
    }
  } catch (cause) {
    const what = `${JSON.stringify(path)} of volume ${JSON.stringify(name)}`;
    throw new ContainerConfigError(`couldn't read env file ${what}: ${describeError(cause)}`, {
      cause,
      retryable: true,
    });
  }
}
