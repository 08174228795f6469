import type { Server } from 'node:net';
import { basename, dirname, join } from 'node:path';
import { ensureDir, removeFile, statOf } from '#host/files.ts';
import { request } from '#host/http.ts';
import { publishSocket } from '#host/socket-file.ts';
import { paths, type AgentInfo } from './api.ts';
import { SocketInUseError } from './errors.ts';

/** An agent that is alive answers within this, or is too sick to tell who it is. */
const probeMs = 2000;

/** Who serves the socket: the agent's own words, `undefined` if nobody does, `unknown` if it doesn't say. */
function owner(path: string): Promise<AgentInfo | 'unknown' | undefined> {
  return new Promise((resolve) => {
    const outgoing = request({ socketPath: path, path: paths.agent, agent: false, timeout: probeMs });
    outgoing.once('timeout', () => {
      resolve('unknown');
      outgoing.destroy();
    });
    outgoing.once('error', (error: NodeJS.ErrnoException) => {
      resolve(error.code === 'ECONNREFUSED' || error.code === 'ENOENT' ? undefined : 'unknown');
    });
    outgoing.once('response', (answer) => {
      let text = '';
      answer.setEncoding('utf8');
      answer.on('data', (chunk: string) => {
        text = (text + chunk).slice(0, 4096);
      });
      answer.once('error', () => resolve('unknown'));
      answer.once('end', () => {
        try {
          resolve(JSON.parse(text) as AgentInfo);
        } catch {
          resolve('unknown');
        }
      });
    });
    outgoing.end();
  });
}

function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, () => {
      server.removeListener('error', reject);
      resolve();
    });
  });
}

/**
 * Makes `server` listen at `path`, mode 0600, in a folder that is made with 0700 if it isn't there. A socket that
 * a killed agent left is replaced; rejects with SocketInUseError, which names the process, if an agent still serves
 * it. Two agents that start in the same instant are kept apart by the state directory's owner, not here.
 */
export async function claimSocket(server: Server, path: string): Promise<void> {
  const folder = dirname(path);
  if ((await statOf(folder)) === undefined) await ensureDir(folder, 0o700);
  const there = await statOf(path);
  if (there !== undefined) {
    if (!there.isSocket()) throw new SocketInUseError(`${path} exists and is no socket; remove it`);
    const other = await owner(path);
    if (other !== undefined) {
      const who =
        other === 'unknown'
          ? 'a process that doesn’t answer as nodelet does'
          : `nodelet ${other.mode}, process ${other.pid}`;
      throw new SocketInUseError(
        `${path} is served by ${who}: stop it first, or choose another place with --socket`,
      );
    }
  }
  const draft = join(folder, `.${basename(path).slice(0, 40)}.${process.pid}`);
  await removeFile(draft);
  await listen(server, draft);
  await publishSocket(draft, path, 0o600);
}
