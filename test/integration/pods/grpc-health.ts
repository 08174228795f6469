import { Server, ServerCredentials, type ServerUnaryCall } from '@grpc/grpc-js';

export interface HealthServer {
  port: number;
  serving: boolean;
  close(): void;
}

const bytes = (value: Buffer): Buffer => value;

/** grpc.health.v1 for one service, on every address of the node; not serving at first. */
export async function serveHealth(service: string): Promise<HealthServer> {
  const server = new Server();
  const definition = {
    check: {
      path: '/grpc.health.v1.Health/Check',
      requestStream: false,
      responseStream: false,
      requestSerialize: bytes,
      requestDeserialize: bytes,
      responseSerialize: bytes,
      responseDeserialize: bytes,
    },
  } as const;
  const health: HealthServer = { port: 0, serving: false, close: () => server.forceShutdown() };
  server.addService(definition, {
    check: (call: ServerUnaryCall<Buffer, Buffer>, done: (error: null, value: Buffer) => void) => {
      const isKnown = call.request.subarray(2).toString() === service;
      done(null, Buffer.from([8, isKnown && health.serving ? 1 : 2]));
    },
  });
  health.port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('0.0.0.0:0', ServerCredentials.createInsecure(), (error, port) =>
      error === null ? resolve(port) : reject(error),
    );
  });
  return health;
}
