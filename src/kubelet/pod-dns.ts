import type { DNSConfig } from '#cri/types.ts';
import { readBoundedBytes } from '#host/bounded-read.ts';
import { describeError } from '#lib/errors.ts';
import type { AgentPod } from '#lib/kube/types.ts';
import type { NodeEvents } from './node/node-events.ts';
import type { PodEvents } from './pod/ports.ts';
import { type NodeDns, parseResolvConf, podDns } from './spec/dns.ts';
import { searchProblem } from './spec/dns-limits.ts';

/** As upstream. */
const MAX_RESOLV_CONF_BYTES = 10 << 20;

export interface PodDnsParts extends Omit<NodeDns, 'resolvConf'> {
  /** The node's resolv.conf; undefined with `--resolv-conf ""`. */
  resolvConfPath: string | undefined;
  events: PodEvents;
  nodeEvents: NodeEvents;
}

/** Works out the pods' DNS settings, and tells in events what they don't get. */
export class PodDnsSettings {
  readonly #parts: PodDnsParts;

  constructor(parts: PodDnsParts) {
    this.#parts = parts;
  }

  /** Reads the node's file afresh: it changes under a running agent. Rejects where it can't be read. */
  async of(pod: AgentPod): Promise<DNSConfig> {
    const { events, nodeEvents } = this.#parts;
    const { config, warnings } = podDns(pod, { ...this.#parts, resolvConf: await this.#nodeText() });
    for (const { reason, message, onNode } of warnings) {
      if (onNode !== undefined) nodeEvents.event('Warning', reason, onNode);
      events.event(pod, 'Warning', reason, message);
    }
    return config;
  }

  /** Tells once of what in the node's file pods will not get. Never rejects. */
  async checkNode(): Promise<void> {
    const { resolvConfPath, clusterDomain, nodeEvents } = this.#parts;
    if (resolvConfPath === undefined) return;
    const problem = await this.#nodeText().then(
      (text) => searchProblem(parseResolvConf(text ?? '').searches, resolvConfPath, clusterDomain),
      describeError,
    );
    if (problem !== undefined) nodeEvents.event('Warning', 'CheckLimitsForResolvConf', problem);
  }

  async #nodeText(): Promise<string | undefined> {
    const { resolvConfPath } = this.#parts;
    if (resolvConfPath === undefined) return undefined;
    return (await readBoundedBytes(resolvConfPath, MAX_RESOLV_CONF_BYTES)).bytes.toString();
  }
}
