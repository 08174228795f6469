import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { nodeAddress } from '#test/bed/bed.ts';
import type { TestRegistry } from '#test/bed/registry.ts';

export interface SlowRegistry {
  readonly host: string;
  /** Requests for layers that are held back now. */
  readonly held: number;
  /** Requests for layers whose client went away while they were held back. */
  readonly givenUp: number;
  /** Lets what is held back through, and everything after it. */
  release(): void;
  close(): Promise<void>;
}

/** A registry that hands out manifests at once and layers only when told, in front of a real one. */
export async function startSlowRegistry(registry: TestRegistry): Promise<SlowRegistry> {
  const [hostname, port] = registry.host.split(':');
  const held = new Set<() => void>();
  let open = false;
  let gone = 0;
  const server = createServer((incoming, answer) => {
    const forward = (): void => {
      const onward = request(
        { hostname, port, path: incoming.url, method: incoming.method, headers: incoming.headers },
        (response) => {
          answer.writeHead(response.statusCode ?? 502, response.headers);
          response.pipe(answer);
        },
      );
      onward.on('error', () => answer.destroy());
      onward.end();
    };
    if (open || !incoming.url?.includes('/blobs/')) {
      forward();
      return;
    }
    held.add(forward);
    answer.on('close', () => {
      if (held.delete(forward)) gone++;
    });
  });
  server.listen(0, nodeAddress);
  await once(server, 'listening');
  const host = `${nodeAddress}:${(server.address() as AddressInfo).port}`;
  await mkdir(join(registry.configDir, host), { recursive: true });
  await writeFile(
    join(registry.configDir, host, 'hosts.toml'),
    `server = "http://${host}"\n[host."http://${host}"]\n  capabilities = ["pull", "resolve"]\n`,
  );
  return {
    host,
    get held() {
      return held.size;
    },
    get givenUp() {
      return gone;
    },
    release() {
      open = true;
      for (const forward of held) forward();
      held.clear();
    },
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
