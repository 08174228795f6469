import { realpath } from 'node:fs/promises';
import { createServer } from 'node:net';
import { NodeletError } from '#lib/errors.ts';

/** Another process works on the same folder. */
export class InstanceLockError extends NodeletError {
  readonly code = 'INSTANCE_LOCK';
}

/**
 * Makes this process the only one that works on the folder, for as long as it lives: the lock is a name in the
 * kernel's table of abstract sockets, which goes with its owner however that ends. It holds within one network
 * namespace. Rejects with InstanceLockError.
 */
export async function lockFolder(folder: string): Promise<void> {
  const path = await realpath(folder);
  const server = createServer((socket) => socket.destroy());
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const taken = error.code === 'EADDRINUSE';
      reject(
        taken
          ? new InstanceLockError(`another nodelet works on ${path}: end it, or give this one another folder`)
          : error,
      );
    });
    // The kernel allows 107 bytes; the end of a long path tells folders apart better than its beginning.
    server.listen(`\0nodelet:${path.slice(-90)}`, resolve);
  });
  server.unref();
}
