import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { assertBed, nodeAddress } from '#test/bed/bed.ts';
import { exec } from '#test/bed/exec.ts';
import type { ControlPlane } from '../control-plane.ts';
import { Identities } from '../identities.ts';
import { testResources } from '../resources.ts';
import { setUpCluster } from '../set-up.ts';
import type { Assets } from './assets.ts';
import { freePort, writePki } from './files.ts';
import type { PlaneFiles } from './files.ts';
import { Service } from './service.ts';

export interface RealOptions {
  /** Whether the controller manager runs: service accounts, CSRs, garbage collection; true unless given. */
  controllers?: boolean;
  /** Whether the scheduler runs; false unless given. */
  scheduler?: boolean;
  /** The address to listen on; the node's unless given. */
  address?: string;
  /** How long certificates hold that the controller manager signs, as it writes it (`10m`). */
  signingDuration?: string;
}

const issuer = 'https://kubernetes.default.svc.cluster.local';

interface Running {
  dir: string;
  kubectl: string;
  etcd: Service;
  server: Service;
  others: Service[];
}

/** The real control plane, of the programs that KUBEBUILDER_ASSETS names. Only inside the test bed. */
export class RealControlPlane extends Identities implements ControlPlane {
  readonly isReal = true;
  readonly fake = undefined;
  readonly title: string;
  readonly #running: Running;

  private constructor(title: string, running: Running, url: string, files: PlaneFiles) {
    super(url, files.authority, files.admin);
    this.title = title;
    this.#running = running;
  }

  static async start(assets: Assets, options: RealOptions = {}): Promise<RealControlPlane> {
    assertBed();
    const address = options.address ?? nodeAddress;
    const dir = await mkdtemp(join(tmpdir(), 'plane-'));
    const log = (name: string): string => join(dir, `${name}.log`);
    const title = (await exec(assets['kube-apiserver'], ['--version'])).trim();
    const files = await writePki(dir, [
      address,
      '127.0.0.1',
      '10.0.0.1',
      'localhost',
      'kubernetes.default.svc',
    ]);
    const [clientPort, peerPort, port] = [await freePort(), await freePort(), await freePort()];
    const etcdUrl = `http://127.0.0.1:${clientPort}`;
    const peerUrl = `http://127.0.0.1:${peerPort}`;
    const etcd = new Service(
      'etcd',
      assets.etcd,
      [
        `--data-dir=${join(dir, 'etcd')}`,
        `--listen-client-urls=${etcdUrl}`,
        `--advertise-client-urls=${etcdUrl}`,
        `--listen-peer-urls=${peerUrl}`,
        `--initial-advertise-peer-urls=${peerUrl}`,
        `--initial-cluster=default=${peerUrl}`,
        // What a crash of the machine would lose doesn't matter here.
        '--unsafe-no-fsync',
        '--log-level=warn',
      ],
      log('etcd'),
    );
    const url = `https://${address}:${port}`;
    const server = new Service(
      'kube-apiserver',
      assets['kube-apiserver'],
      serverFlags(files, etcdUrl, address, port),
      log('kube-apiserver'),
    );
    const running: Running = { dir, kubectl: assets.kubectl, etcd, server, others: [] };
    const plane = new RealControlPlane(title, running, url, files);
    try {
      await etcd.start();
      await plane.start();
      await setUpCluster(plane.client);
      await plane.#startOthers(assets, files, options);
    } catch (error) {
      await plane.destroy();
      throw error;
    }
    return plane;
  }

  /** As the admin: its standard output; rejects with what it wrote to standard error. */
  kubectl(...args: string[]): Promise<string> {
    const cache = join(this.#running.dir, 'kubectl-cache');
    return exec(this.#running.kubectl, [`--kubeconfig=${this.#adminFile}`, `--cache-dir=${cache}`, ...args]);
  }

  async stop(): Promise<void> {
    await this.#running.server.end();
  }

  async start(): Promise<void> {
    const { server } = this.#running;
    await server.start();
    await server.waitFor(async () => (await this.client.raw('GET', '/readyz')).status === 200);
  }

  async destroy(): Promise<void> {
    const { others, server, etcd, dir } = this.#running;
    this.closeClients();
    await Promise.all([...others, server, etcd].map((service) => service.end()));
    await rm(dir, { recursive: true, force: true });
  }

  get #adminFile(): string {
    return join(this.#running.dir, 'admin.conf');
  }

  async #startOthers(assets: Assets, files: PlaneFiles, options: RealOptions): Promise<void> {
    const { dir, others } = this.#running;
    await writeFile(this.#adminFile, await this.adminKubeconfig(), { mode: 0o600 });
    const common = [
      `--kubeconfig=${this.#adminFile}`,
      `--authentication-kubeconfig=${this.#adminFile}`,
      `--authorization-kubeconfig=${this.#adminFile}`,
      '--leader-elect=false',
      '--bind-address=127.0.0.1',
    ];
    if (options.controllers ?? true) {
      const flags = [
        ...common,
        `--secure-port=${await freePort()}`,
        `--service-account-private-key-file=${files.pki('sa.key')}`,
        `--root-ca-file=${files.pki('ca.crt')}`,
        `--cluster-signing-cert-file=${files.pki('ca.crt')}`,
        `--cluster-signing-key-file=${files.pki('ca.key')}`,
        `--cluster-signing-duration=${options.signingDuration ?? '24h'}`,
        '--controllers=*,bootstrapsigner,tokencleaner',
      ];
      const program = assets['kube-controller-manager'];
      const manager = new Service('kube-controller-manager', program, flags, join(dir, 'controllers.log'));
      others.push(manager);
      await manager.start();
      // Pods can't be created before.
      const account = { name: 'default', namespace: 'default' };
      await manager.waitFor(
        async () => (await this.client.find(testResources.serviceAccounts, account)) !== undefined,
      );
    }
    if (options.scheduler === true) {
      const flags = [...common, `--secure-port=${await freePort()}`];
      const program = assets['kube-scheduler'];
      const scheduler = new Service('kube-scheduler', program, flags, join(dir, 'scheduler.log'));
      others.push(scheduler);
      await scheduler.start();
    }
  }
}

const serverFlags = ({ pki }: PlaneFiles, etcdUrl: string, address: string, port: number): string[] => [
  `--etcd-servers=${etcdUrl}`,
  `--bind-address=${address}`,
  `--advertise-address=${address}`,
  `--secure-port=${port}`,
  `--client-ca-file=${pki('ca.crt')}`,
  `--tls-cert-file=${pki('apiserver.crt')}`,
  `--tls-private-key-file=${pki('apiserver.key')}`,
  `--kubelet-client-certificate=${pki('apiserver-kubelet-client.crt')}`,
  `--kubelet-client-key=${pki('apiserver-kubelet-client.key')}`,
  '--kubelet-preferred-address-types=InternalIP,Hostname',
  `--service-account-issuer=${issuer}`,
  `--service-account-key-file=${pki('sa.pub')}`,
  `--service-account-signing-key-file=${pki('sa.key')}`,
  '--service-cluster-ip-range=10.0.0.0/24',
  '--authorization-mode=Node,RBAC',
  '--enable-admission-plugins=NodeRestriction',
  '--enable-bootstrap-token-auth=true',
  '--allow-privileged=true',
  '--profiling=false',
];
