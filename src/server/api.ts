/** What the local socket's server and its clients agree on. */
import type { Event } from '#lib/kube/types.ts';
import type { ManifestProblem, ObjectView, PodView, UsageView, AppliedView } from './view.ts';

export interface AgentInfo {
  pid: number;
  mode: 'standalone' | 'kubelet';
  /** nodelet's own version. */
  version: string;
  kubernetesVersion: string;
  nodeName: string;
  /** Wall milliseconds. */
  startedAt: number;
}

export interface PodList {
  items: PodView[];
}

export interface EventList {
  items: Event[];
}

export interface ProblemList {
  items: ManifestProblem[];
}

export interface ObjectList {
  items: ObjectView[];
}

export interface UsageList {
  items: UsageView[];
}

export interface AppliedList {
  items: AppliedView[];
}

/** Every answer that is no success. */
export interface ErrorBody {
  /** The HTTP status. */
  code: number;
  /** For people. */
  message: string;
  /** For programs: `NotFound`, `BadRequest` … */
  reason: string;
}

/** Tells of an error after the status line has gone out: the trailer of a log stream, JSON of an ErrorBody. */
export const errorTrailer = 'x-nodelet-error';

export const maxApplyBytes = 10 * 1024 * 1024;

const part = encodeURIComponent;

export const paths = {
  configz: '/configz',
  agent: '/v1/agent',
  node: '/v1/node',
  pods: '/v1/pods',
  events: '/v1/events',
  problems: '/v1/problems',
  usage: '/v1/usage',
  objects: { ConfigMap: '/v1/configmaps', Secret: '/v1/secrets' },
  apply: '/v1/apply',
  pod: (namespace: string, name: string): string => `/v1/namespaces/${part(namespace)}/pods/${part(name)}`,
  object: (kind: ObjectView['kind'], namespace: string, name: string): string =>
    `/v1/namespaces/${part(namespace)}/${kind.toLowerCase()}s/${part(name)}`,
  log: (namespace: string, name: string): string => `${paths.pod(namespace, name)}/log`,
  exec: (namespace: string, name: string): string => `${paths.pod(namespace, name)}/exec`,
} as const;
