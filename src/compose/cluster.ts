/** The agent's ties to its cluster: who it is there, and the API as the rest of the agent sees it. */
import { resolve } from 'node:path';
import { createKubeApi } from '#api/api.ts';
import type { KubeApi } from '#api/api.ts';
import type { Credentials } from '#api/credentials.ts';
import type { Connect } from '#api/identity/access.ts';
import { IdentityManager } from '#api/identity/manager.ts';
import { x509Process } from '#api/identity/x509.ts';
import { loadKubeconfig } from '#api/kubeconfig/kubeconfig-credentials.ts';
import type { ClusterOptions, KubeletOptions } from '#config/kubelet-options.ts';
import { nodeletVersion } from '#config/version.ts';
import { readText } from '#host/files.ts';
import type { Clock } from '#lib/clock.ts';
import { describeError } from '#lib/errors.ts';
import { type Informer, resources } from '#lib/kube/client.ts';
import type { CsiDriver, Node, RuntimeClass, Service } from '#lib/kube/types.ts';
import type { Logger } from '#lib/logger.ts';
import { MetricsRegistry } from '#lib/metrics.ts';
import { IdentityCredentials, credentialsOf } from './cluster-credentials.ts';

export interface Cluster {
  offlineStart: ClusterOptions['offlineStart'];
  api: KubeApi;
  identity: IdentityManager;
  /** This node alone. */
  nodes: Informer<Node>;
  services: Informer<Service>;
  runtimeClasses: Informer<RuntimeClass>;
  csiDrivers: Informer<CsiDriver>;
  stop(): Promise<void>;
}

const USER_AGENT = `nodelet/${nodeletVersion} (linux/${process.arch === 'x64' ? 'amd64' : process.arch}) kubernetes/v1.36`;

/**
 * Joins the cluster that the kubeconfig names. Comes back at once: without an answer from the API server, everything
 * that needs one waits, and nothing else does. Rejects where neither kubeconfig can be read.
 */
export async function joinCluster(
  options: KubeletOptions,
  cluster: ClusterOptions,
  clock: Clock,
  log: Logger,
): Promise<Cluster> {
  const ended = new AbortController();
  const metrics = new MetricsRegistry();
  const logger = log.child({ component: 'api' });
  const connectTo = (credentials: Credentials): KubeApi =>
    createKubeApi({ credentials, clock, logger, metrics, userAgent: USER_AGENT });
  const connect: Connect = async (access) => {
    const own = connectTo(await credentialsOf(access, clock, logger));
    return { client: own.client, close: () => own.close() };
  };
  const identity = new IdentityManager(
    {
      nodeName: options.nodeName,
      kubeconfigPath: resolve(cluster.kubeconfig),
      bootstrapKubeconfigPath:
        cluster.bootstrapKubeconfig === undefined ? undefined : resolve(cluster.bootstrapKubeconfig),
      rotateCertificates: cluster.rotateCertificates,
    },
    {
      certDir: resolve(options.certDir),
      connect,
      x509: x509Process,
      clock,
      random: Math.random,
      log: log.child({ component: 'identity' }),
    },
  );
  const server = await serverOf(cluster);
  const established = identity.establish(ended.signal);
  const running = established
    .then(() => identity.run(ended.signal))
    .catch((error: unknown) => {
      if (!ended.signal.aborted) logger.error({ err: error }, describeError(error));
    });
  const credentials = new IdentityCredentials(server, identity, established, (access) =>
    credentialsOf(access, clock, logger),
  );
  const api = connectTo(credentials);
  const { signal } = ended;
  return {
    offlineStart: cluster.offlineStart,
    api,
    identity,
    nodes: api.informers.informer<Node>(
      resources.nodes,
      { fieldSelector: `metadata.name=${options.nodeName}` },
      { signal },
    ),
    // Headless services have no address, so no variables.
    services: api.informers.informer<Service>(
      resources.services,
      { fieldSelector: 'spec.clusterIP!=None' },
      { signal, trim: trimService },
    ),
    runtimeClasses: api.informers.informer<RuntimeClass>(resources.runtimeClasses, {}, { signal }),
    csiDrivers: api.informers.informer<CsiDriver>(resources.csiDrivers, {}, { signal }),
    stop: async () => {
      ended.abort(new Error('the agent stops'));
      api.close();
      await running;
    },
  };
}

/** Where the API server is: the kubeconfig says so, or before the first certificate the bootstrap kubeconfig. */
async function serverOf({ kubeconfig, bootstrapKubeconfig }: ClusterOptions): Promise<URL> {
  const hasOwn = (await readText(kubeconfig)) !== undefined;
  const file = hasOwn || bootstrapKubeconfig === undefined ? kubeconfig : bootstrapKubeconfig;
  return (await loadKubeconfig(file)).cluster.server;
}

/** Of a Service, pods get names, addresses and ports; the rest of thousands of them would only cost memory. */
function trimService({ metadata, spec }: Service): Service {
  const { name, namespace, uid, resourceVersion } = metadata ?? {};
  return {
    metadata: {
      ...(name === undefined ? {} : { name }),
      ...(namespace === undefined ? {} : { namespace }),
      ...(uid === undefined ? {} : { uid }),
      ...(resourceVersion === undefined ? {} : { resourceVersion }),
    },
    spec: {
      ...(spec?.clusterIP === undefined ? {} : { clusterIP: spec.clusterIP }),
      ...(spec?.ports === undefined ? {} : { ports: spec.ports }),
      ...(spec?.type === undefined ? {} : { type: spec.type }),
    },
  };
}
