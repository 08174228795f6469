import { resources } from '#lib/kube/client.ts';
import { ApiError } from '#lib/kube/api-error.ts';
import { isRefusal } from './refusal.ts';
import type { SigningClient } from './signing.ts';

/** How to reach the API server, and as whom. */
export interface ClientAccess {
  /** Its current context says where the cluster is. */
  readonly kubeconfigPath: string;
  /**
   * A PEM file with a certificate and its key that stands in for every credential of the kubeconfig; undefined: the
   * kubeconfig's own credentials. Both files change over time.
   */
  readonly clientCertificatePath: string | undefined;
}

/** A client with connections of its own, for a call or a few. */
export interface Connection {
  readonly client: SigningClient;
  close(): void;
}

/** Makes a client; files are read anew. Rejects with a NodeletError. */
export type Connect = (access: ClientAccess, signal: AbortSignal) => Promise<Connection>;

/** Runs `use` with a client and closes its connections afterwards. */
export async function withConnection<T>(
  connect: Connect,
  access: ClientAccess,
  signal: AbortSignal,
  use: (client: SigningClient) => Promise<T>,
): Promise<T> {
  const connection = await connect(access, signal);
  try {
    return await use(connection.client);
  } finally {
    connection.close();
  }
}

/** Whether the server takes these credentials for somebody; rejects where it gives no clear answer. */
export async function areAccepted(
  client: SigningClient,
  nodeName: string,
  signal: AbortSignal,
): Promise<boolean> {
  try {
    await client.get(resources.nodes, { name: nodeName }, { signal });
    return true;
  } catch (error) {
    signal.throwIfAborted();
    if (isRefusal(error)) return false;
    // Forbidden, not found: the server knows who asks.
    if (error instanceof ApiError && error.status >= 400 && error.status < 500 && error.status !== 429)
      return true;
    throw error;
  }
}
