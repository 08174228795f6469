import type { ClientRequest, IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { request } from '#host/http.ts';
import { NodeletError } from '#lib/errors.ts';
import {
  errorTrailer,
  maxApplyBytes,
  paths,
  type AppliedList,
  type ErrorBody,
  type EventList,
  type ObjectList,
  type PodList,
  type ProblemList,
  type UsageList,
} from '#server/api.ts';
import type { Event, Node } from '#lib/kube/types.ts';
import type {
  AppliedView,
  ExecOptions,
  LogOptions,
  ManifestProblem,
  ObjectView,
  PodView,
  UsageView,
} from '#server/view.ts';

/** Nobody serves the socket. */
export class NoAgentError extends NodeletError {
  readonly code = 'NO_AGENT';
}

/** The agent answered, and not with success. */
export class AgentError extends NodeletError {
  readonly code = 'AGENT';
  readonly status: number;
  readonly reason: string;

  constructor(body: ErrorBody) {
    super(`${body.message} (${body.reason})`);
    this.status = body.code;
    this.reason = body.reason;
  }
}

export interface ExecConnection {
  socket: Duplex;
  head: Buffer;
}

/** An answer must begin within this; what streams may then take as long as it likes. */
const answerMs = 60_000;

const maxErrorBytes = 64 * 1024;

type Query = Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>;

function withQuery(path: string, query: Query): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value === undefined) continue;
    for (const each of Array.isArray(value) ? (value as string[]) : [String(value)])
      search.append(name, each);
  }
  const text = search.toString();
  return text === '' ? path : `${path}?${text}`;
}

async function textOf(answer: IncomingMessage, limit: number): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > limit)
      throw new AgentError({ code: 500, message: 'the answer is too long', reason: 'TooLong' });
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

async function agentError(answer: IncomingMessage): Promise<AgentError> {
  const text = await textOf(answer, maxErrorBytes);
  try {
    return new AgentError(JSON.parse(text) as ErrorBody);
  } catch {
    const code = answer.statusCode ?? 0;
    return new AgentError({ code, message: `the agent answered with status ${code}`, reason: 'Unknown' });
  }
}

/** The agent's local socket, for commands. */
export class AgentClient {
  readonly #socket: string;
  readonly #signal: AbortSignal;

  constructor(socket: string, signal: AbortSignal) {
    this.#socket = socket;
    this.#signal = signal;
  }

  async pods(): Promise<PodView[]> {
    return (await this.#get<PodList>(paths.pods)).items;
  }

  pod(namespace: string, name: string): Promise<PodView> {
    return this.#get(paths.pod(namespace, name));
  }

  node(): Promise<Node> {
    return this.#get(paths.node);
  }

  async events(pod?: { namespace: string; name: string }): Promise<Event[]> {
    const query = pod === undefined ? {} : { namespace: pod.namespace, pod: pod.name };
    return (await this.#get<EventList>(withQuery(paths.events, query))).items;
  }

  async problems(): Promise<ManifestProblem[]> {
    return (await this.#get<ProblemList>(paths.problems)).items;
  }

  async objects(kind: ObjectView['kind']): Promise<ObjectView[]> {
    return (await this.#get<ObjectList>(paths.objects[kind])).items;
  }

  async usage(): Promise<UsageView[]> {
    return (await this.#get<UsageList>(paths.usage)).items;
  }

  async apply(manifests: string): Promise<AppliedView[]> {
    if (Buffer.byteLength(manifests) > maxApplyBytes) {
      throw new AgentError({
        code: 413,
        message: `the manifests are over the limit of ${maxApplyBytes / 1024 / 1024} MiB`,
        reason: 'RequestEntityTooLarge',
      });
    }
    const answer = await this.#send('POST', paths.apply, manifests);
    return (JSON.parse(await textOf(answer, Infinity)) as AppliedList).items;
  }

  async deleteObject(kind: ObjectView['kind'], namespace: string, name: string): Promise<void> {
    await textOf(await this.#send('DELETE', paths.object(kind, namespace, name)), Infinity);
  }

  async deletePod(namespace: string, name: string, gracePeriodSeconds: number | undefined): Promise<void> {
    const answer = await this.#send('DELETE', withQuery(paths.pod(namespace, name), { gracePeriodSeconds }));
    await textOf(answer, Infinity);
  }

  /** The log's bytes as they come; throws AgentError at its end if the agent met an error on the way. */
  async *logs(namespace: string, name: string, options: LogOptions): AsyncGenerator<Buffer> {
    const answer = await this.#send('GET', withQuery(paths.log(namespace, name), { ...options }));
    for await (const chunk of answer as AsyncIterable<Buffer>) yield chunk;
    const error = answer.trailers[errorTrailer];
    if (error !== undefined) throw new AgentError(JSON.parse(error) as ErrorBody);
  }

  /** Opens an exec session: the upgraded connection, which speaks SPDY/3.1. */
  exec(namespace: string, name: string, options: ExecOptions): Promise<ExecConnection> {
    return new Promise((resolve, reject) => {
      const outgoing = this.#request('POST', withQuery(paths.exec(namespace, name), { ...options }), {
        connection: 'Upgrade',
        upgrade: 'SPDY/3.1',
        'x-stream-protocol-version': 'v4.channel.k8s.io',
        'content-length': '0',
      });
      outgoing.once('error', (error) => reject(this.#explain(error)));
      outgoing.once('upgrade', (_answer, socket: Duplex, head: Buffer) => {
        outgoing.setTimeout(0);
        resolve({ socket, head });
      });
      outgoing.once('response', (answer) => void agentError(answer).then(reject, reject));
      outgoing.end();
    });
  }

  async #get<T>(path: string): Promise<T> {
    return JSON.parse(await textOf(await this.#send('GET', path), Infinity)) as T;
  }

  #request(method: string, path: string, headers: Record<string, string> = {}): ClientRequest {
    const outgoing = request({
      socketPath: this.#socket,
      method,
      path,
      headers,
      agent: false,
      signal: this.#signal,
    });
    const late = setTimeout(
      () => outgoing.destroy(new NoAgentError(`the agent at ${this.#socket} does not answer`)),
      answerMs,
    );
    late.unref();
    for (const event of ['response', 'upgrade', 'close']) outgoing.once(event, () => clearTimeout(late));
    return outgoing;
  }

  async #send(method: string, path: string, body?: string): Promise<IncomingMessage> {
    const answer = await new Promise<IncomingMessage>((resolve, reject) => {
      const outgoing = this.#request(method, path);
      outgoing.once('error', (error) => reject(this.#explain(error)));
      outgoing.once('response', resolve);
      outgoing.end(body);
    });
    if (answer.statusCode !== 200) throw await agentError(answer);
    return answer;
  }

  #explain(error: NodeJS.ErrnoException): Error {
    if (this.#signal.aborted || error instanceof NodeletError) return error;
    const at = this.#socket;
    const start =
      'start one with "nodelet standalone" or "systemctl start nodelet", or name its socket with --socket';
    switch (error.code) {
      case 'ENOENT':
        return new NoAgentError(`no agent runs: there is no socket ${at}; ${start}`);
      case 'ECONNREFUSED':
        return new NoAgentError(`no agent runs: nobody serves ${at} any more; ${start}`);
      case 'EACCES':
      case 'EPERM':
        return new NoAgentError(`the socket ${at} is for root only: run this as root`);
      default:
        return new NoAgentError(`the agent at ${at} broke off`, { cause: error });
    }
  }
}
