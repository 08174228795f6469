/** Runs lifecycle hooks. What they say goes into no event, since it may hold secrets. */
import { type Clock, sleep } from '#lib/clock.ts';
import { describeError } from '#lib/errors.ts';
import { goQuote } from '#lib/go-quote.ts';
import type { AgentPod, Container } from '#lib/kube/types.ts';
import { outputOf } from '#probes/exec-probe.ts';
import { HttpGetError, httpGet } from '#probes/http-get.ts';
import { type HttpRequest, httpRequest } from '#probes/http-request.ts';
import { joinHostPort } from '#probes/go-words.ts';
import type { PodEvents } from '../pod/ports.ts';
import type { ContainerCommands } from '../probing/container-commands.ts';
import { resolvePort } from '../probing/resolve-port.ts';
import { HookError } from './hook-error.ts';

export type Hook = NonNullable<NonNullable<Container['lifecycle']>['postStart']>;

export interface HookParts {
  commands: Pick<ContainerCommands, 'in'>;
  events: PodEvents;
  clock: Clock;
}

/** The running container that a hook is for. */
export interface HookedContainer {
  pod: AgentPod;
  container: Container;
  id: string;
  /** '' where the pod has none. */
  podIp: string;
}

const USER_AGENT = 'kube-lifecycle/1.36';

export class HookRunner {
  readonly #parts: HookParts;

  constructor(parts: HookParts) {
    this.#parts = parts;
  }

  /** Runs the hook to its end, however long that takes. Rejects with HookError, or with the signal's reason. */
  async run(of: HookedContainer, hook: Hook, signal: AbortSignal): Promise<void> {
    const { exec, httpGet: action, sleep: pause } = hook;
    if (exec !== undefined) await this.#exec(of, exec.command ?? [], signal);
    else if (action !== undefined) await this.#http(of, action, signal);
    else if (pause !== undefined) await sleep(this.#parts.clock, pause.seconds * 1000, signal);
    else throw new HookError(`Cannot run handler: invalid handler: ${Object.keys(hook).join(', ')}`);
  }

  async #exec(of: HookedContainer, command: readonly string[], signal: AbortSignal): Promise<void> {
    const fail = (error: string, message: string, cause?: unknown): HookError =>
      new HookError(
        `Exec lifecycle hook ([${command.join(' ')}]) for ${whose(of)} failed - error: ${error}, message: ${goQuote(message)}`,
        { cause },
      );
    let result;
    try {
      result = await this.#parts.commands.in(of.pod.metadata.uid, of.id)(command, 0, signal);
    } catch (error) {
      signal.throwIfAborted();
      throw fail(describeError(error), '', error);
    }
    if (result.kind === 'timedOut') throw fail('the runtime gave up', '');
    const { exitCode, stderr } = result;
    if (exitCode !== 0)
      throw fail(
        `command '${command.join(' ')}' exited with ${exitCode}: ${stderr.toString()}`,
        outputOf(result),
      );
  }

  async #http(of: HookedContainer, action: NonNullable<Hook['httpGet']>, signal: AbortSignal): Promise<void> {
    try {
      if (!action.host && of.podIp === '') throw new HookError('failed to find networking container');
      const request = httpRequest(action, resolvePort(action.port, of.container), of.podIp, USER_AGENT);
      await this.#get(of, request, signal);
    } catch (error) {
      signal.throwIfAborted();
      const words = `HTTP lifecycle hook (${action.path ?? ''}) for ${whose(of)} failed - error: ${describeError(error)}`;
      throw new HookError(words, { cause: error });
    }
  }

  /** Any status will do, and a server that speaks no TLS gets the request without. */
  async #get(of: HookedContainer, request: HttpRequest, signal: AbortSignal): Promise<void> {
    const { clock, events } = this.#parts;
    const options = { clock, timeoutMs: undefined, signal };
    try {
      await httpGet(request, options);
    } catch (error) {
      if (!(error instanceof HttpGetError)) throw error;
      // Upstream cares for nothing after the status.
      if (error.answered) return;
      if (!error.isPlain) throw error;
      const { Authorization: _secret, ...headers } = request.headers;
      const answered = await httpGet({ ...request, secure: false, headers }, options).then(
        () => true,
        () => false,
      );
      if (!answered) throw error;
      const at = joinHostPort(request.host, request.port);
      const words = `request to HTTPS lifecycle hook ${at} got HTTP response, retry with HTTP succeeded`;
      events.event(of.pod, 'Warning', 'LifecycleHTTPFallback', words);
    }
  }
}

const whose = ({ pod: { metadata }, container }: HookedContainer): string =>
  `Container "${container.name}" in Pod "${metadata.name}_${metadata.namespace}(${metadata.uid})"`;
