/**
 * What the local socket shows and does, as the server needs it; the kubelet role implements it. All objects are
 * Kubernetes' own, so that `-o json` and `-o yaml` print what kubectl users know.
 */
import type { Event, Node, Pod } from '#lib/kube/types.ts';
import type { Wait } from '#lib/kube/wait.ts';

export interface PodView {
  /** With the agent's own, current status. */
  pod: Pod;
  /** What the pod waits for; empty when all is as wanted. */
  waits: Wait[];
  /** Where the pod comes from, for people: `file /etc/nodelet/manifests/web.yaml`, `apply`, `https://…`. */
  origin: string;
  /** Whether the agent is ending the pod. */
  terminating: boolean;
}

/** A manifest (or one document of it) that isn't in force, and why. */
export interface ManifestProblem {
  /** The file or URL. */
  origin: string;
  /** 1 for the first document of the file. */
  document?: number;
  /** The line of the file where it stands; 1 is the first. */
  line?: number;
  /** JSON path of the field: `spec.containers[0].image`. */
  field?: string;
  /** The offending value, as JSON, cut to 100 characters. */
  value?: string;
  /** What is wrong and what is allowed. */
  message: string;
  /** A warning keeps nothing out of force; without it the problem is an error. */
  severity?: 'warning';
  /** Whether an earlier, good version of the same manifest still runs. */
  lastGoodRuns: boolean;
}

export interface LogOptions {
  container?: string;
  follow: boolean;
  previous: boolean;
  timestamps: boolean;
  tailLines?: number;
  sinceSeconds?: number;
  sinceTime?: string;
  limitBytes?: number;
}

export interface ExecOptions {
  container?: string;
  command: string[];
  stdin: boolean;
  stdout: boolean;
  stderr: boolean;
  tty: boolean;
}

export interface UsageView {
  namespace: string;
  pod: string;
  container: string;
  /** Cores, averaged since the sample before. */
  cpuCores: number | undefined;
  memoryBytes: number | undefined;
}

export interface AppliedView {
  namespace: string;
  name: string;
  kind: string;
  result: 'created' | 'configured' | 'unchanged';
}

/** A ConfigMap or Secret of manifests, without its values. */
export interface ObjectView {
  kind: 'ConfigMap' | 'Secret';
  metadata: { namespace: string; name: string };
  /** Of a Secret: `Opaque`, `kubernetes.io/tls` … */
  type?: string;
  /** Sorted. */
  keys: string[];
  /** The file or URL. */
  origin: string;
}

/** Each method that names a pod rejects with NotFoundError where there is none. */
export interface NodeView {
  node(): Node;
  pods(): PodView[];
  pod(namespace: string, name: string): PodView;
  /** Oldest first; all, or those about one pod. */
  events(pod?: { namespace: string; name: string }): Event[];
  problems(): ManifestProblem[];
  /** Sorted. Throws NotSupportedError where ConfigMaps and Secrets don't come from manifests. */
  objects(kind: ObjectView['kind']): ObjectView[];
  usage(signal: AbortSignal): Promise<UsageView[]>;
  /** The container's output, in chunks as they come; ends with the log, or with `signal` when following. */
  logs(namespace: string, name: string, options: LogOptions, signal: AbortSignal): AsyncIterable<Buffer>;
  /** The URL of the runtime's streaming server for this session (SPDY/3.1 by POST). */
  exec(namespace: string, name: string, options: ExecOptions, signal: AbortSignal): Promise<string>;
  /** Takes manifests (YAML or JSON, several documents) and keeps them over restarts. Standalone only. */
  apply(manifests: string): Promise<AppliedView[]>;
  /** Removes an applied ConfigMap or Secret. Standalone only. */
  deleteObject(kind: ObjectView['kind'], namespace: string, name: string): Promise<void>;
  /** Removes an applied pod; returns when it is being ended. Standalone only. */
  deletePod(namespace: string, name: string, gracePeriodSeconds: number | undefined): Promise<void>;
}
