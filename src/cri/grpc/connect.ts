import { sleep } from '#lib/clock.ts';
import type { Clock } from '#lib/clock.ts';
import { NodeletError, describeError } from '#lib/errors.ts';
import { GrpcContainerdApi } from '../containerd/api.ts';
import type { ContainerdApi } from '../containerd/api.ts';
import { ContainerdRuntimeService } from '../containerd/runtime-service.ts';
import { runtimeStatus } from '../errors.ts';
import type { RuntimeVersion } from '../types.ts';
import { Channel } from './channel.ts';
import { GrpcImageService } from './image-service.ts';
import { GrpcRuntimeService } from './runtime-service.ts';

/** Nothing that speaks CRI v1 answers at the endpoint. */
export class RuntimeConnectError extends NodeletError {
  readonly code = 'RUNTIME_CONNECT';
}

export interface ConnectOptions {
  clock: Clock;
  /** Where images live elsewhere (kubelet's --image-service-endpoint). */
  imageEndpoint?: string;
  /** KubeletConfiguration's runtimeRequestTimeout; 2 minutes unless given. */
  requestTimeoutMs?: number;
  /** How long to wait for a runtime that isn't there yet; 30 s unless given. */
  timeoutMs?: number;
  signal?: AbortSignal;
}

/** A container runtime over gRPC. */
export interface RuntimeConnection {
  readonly runtime: GrpcRuntimeService;
  readonly images: GrpcImageService;
  /** As it was when the connection was made. */
  readonly version: RuntimeVersion;
  /** containerd's own API; undefined where the runtime is another. */
  readonly containerd: ContainerdApi | undefined;
  close(): void;
}

const ATTEMPT_MS = 5000;
const PAUSE_MS = 200;

/**
 * Connects to the runtime at a unix socket (`unix:///…` or a path) and waits until its CRI v1 services answer.
 * Rejects with UsageError for an endpoint of another kind, and with RuntimeConnectError, whose message names the
 * endpoint and the mend, when the time is up or what answers doesn't speak CRI v1.
 */
export async function connect(endpoint: string, options: ConnectOptions): Promise<RuntimeConnection> {
  const { requestTimeoutMs, imageEndpoint = endpoint } = options;
  const channel = new Channel(endpoint);
  const imageChannel = imageEndpoint === endpoint ? channel : new Channel(imageEndpoint);
  const runtime = new GrpcRuntimeService(channel, requestTimeoutMs);
  const images = new GrpcImageService(imageChannel, requestTimeoutMs);
  let containerd: GrpcContainerdApi | undefined;
  const close = (): void => {
    channel.close();
    containerd?.close();
    if (imageChannel !== channel) imageChannel.close();
  };
  const end = options.clock.monotonic() + (options.timeoutMs ?? 30_000);
  try {
    const version = await answered(endpoint, end, options, async (call) => {
      const answer = await runtime.version(call);
      // Version answers before containerd has recovered its state; Status does not.
      await runtime.status(call);
      return answer;
    });
    await answered(imageEndpoint, end, options, (call) => images.imageStatus({ image: PROBE }, call));
    if (version.runtimeName !== 'containerd') return { runtime, images, version, containerd, close };
    containerd = new GrpcContainerdApi(endpoint);
    const mended = new ContainerdRuntimeService(channel, containerd, options.clock, requestTimeoutMs);
    return { runtime: mended, images, version, containerd, close };
  } catch (error) {
    close();
    throw error;
  }
}

/** An image that need not exist: asking for it shows that the image service is there, and costs nothing. */
const PROBE = 'nodelet.invalid/probe:0';

interface Call {
  deadlineMs: number;
  signal?: AbortSignal;
}

async function answered<T>(
  endpoint: string,
  end: number,
  { clock, signal }: ConnectOptions,
  ask: (call: Call) => Promise<T>,
): Promise<T> {
  for (;;) {
    const left = end - clock.monotonic();
    try {
      return await ask({
        deadlineMs: Math.min(ATTEMPT_MS, Math.max(left, 1)),
        ...(signal === undefined ? {} : { signal }),
      });
    } catch (error) {
      signal?.throwIfAborted();
      const status = runtimeStatus(error);
      if (status === undefined) throw error;
      if (status === 'UNIMPLEMENTED') throw notCri(endpoint, error);
      if (clock.monotonic() + PAUSE_MS >= end) throw silent(endpoint, error);
    }
    await sleep(clock, PAUSE_MS, signal);
  }
}

const notCri = (endpoint: string, cause: unknown): RuntimeConnectError =>
  new RuntimeConnectError(
    `what answers at ${endpoint} does not speak CRI v1: with containerd, use 1.6 or newer and see that its ` +
      `configuration does not list "cri" (or "io.containerd.grpc.v1.cri") under disabled_plugins`,
    { cause },
  );

const silent = (endpoint: string, cause: unknown): RuntimeConnectError =>
  new RuntimeConnectError(
    `no container runtime answers at ${endpoint} (${describeError(cause)}): see that it runs, or name its socket ` +
      `with --container-runtime-endpoint`,
    { cause, retryable: true },
  );
