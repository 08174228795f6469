import type { TestClient } from './client.ts';
import type { FakeControlPlane } from './fake/fake-control-plane.ts';
import type { Validity } from './pki.ts';

/**
 * An API server for tests: the fake one, that can misbehave on command, or the real one. Tests written against this
 * run on both.
 */
export interface ControlPlane {
  readonly isReal: boolean;
  /** For people: `the fake control plane`, `Kubernetes v1.36.2`. */
  readonly title: string;
  /** `https://ADDRESS:PORT`; stays over stop() and start(). */
  readonly url: string;
  /** Of the server's and the clients' certificates, PEM. */
  readonly ca: string;
  /** As a member of system:masters. */
  readonly client: TestClient;
  /** The fake, for its misbehaviours; undefined for the real one. */
  readonly fake: FakeControlPlane | undefined;
  /** A client with a certificate of this user. */
  clientAs(user: string, groups?: readonly string[], validity?: Validity): Promise<TestClient>;
  /** A client with this bearer token; without one, nobody's. */
  clientWithToken(token: string | undefined): TestClient;
  adminKubeconfig(): Promise<string>;
  /** With a client certificate of `system:node:NAME` in `system:nodes`. */
  kubeletKubeconfig(nodeName: string, validity?: Validity): Promise<string>;
  userKubeconfig(user: string, groups?: readonly string[], validity?: Validity): Promise<string>;
  /** With a bootstrap token; kubeadm's roles let it ask for a node's client certificate. */
  bootstrapKubeconfig(): Promise<string>;
  /** The server is gone: connections are refused. Its data stays. */
  stop(): Promise<void>;
  /** Resolves when it answers again. */
  start(): Promise<void>;
  destroy(): Promise<void>;
}
