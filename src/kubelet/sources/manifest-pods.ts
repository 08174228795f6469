/** From a manifest's text to the Pods in it: decoded, with defaults, judged. No identity yet, no machine. */
import { withPodDefaults } from '#lib/kube/defaults.ts';
import type { Pod } from '#lib/kube/types.ts';
import { Field, pathText } from '#lib/kube/validation/field.ts';
import type { Finding } from '#lib/kube/validation/field.ts';
import { validatePod, withoutConsequences } from '#lib/kube/validation/pod.ts';
import { refuseApiReferences } from '#lib/kube/validation/references.ts';
import { conform } from '#lib/kube/validation/shape.ts';
import type { ManifestProblem } from '#server/view.ts';
import type { LocalObject } from '../objects/local-object.ts';
import { decodeManifest } from './decode.ts';
import type { ManifestObject } from './decode.ts';
import { isLocalKind, readObject } from './manifest-objects.ts';
import { withoutForeignMarks } from './static-pod.ts';

/** `NAMESPACE/NAME` as the manifest says them: what identifies a pod within a node's manifests. */
export type PodKey = string;

export type ManifestFinding = Omit<ManifestProblem, 'origin' | 'lastGoodRuns'> & {
  /** The pod or object that is not in force because of it, if it can be told; never set for a warning. */
  blocks?: string;
  /** Set where it can't be told what the broken part held. */
  blocksUnknown?: true;
};

export interface ManifestPods {
  /** With defaults. */
  pods: Map<PodKey, Pod>;
  /** The same pods as the manifest has them: what doesn't change when a later version of the agent knows more defaults. */
  written: Map<PodKey, Pod>;
  findings: ManifestFinding[];
  /** ConfigMaps and Secrets, by `KIND NAMESPACE/NAME`; none where they aren't served. */
  objects: Map<string, LocalObject>;
  /** Objects of other kinds; each also has a finding, for nobody serves it. */
  others: ManifestObject[];
}

export interface ManifestRules {
  /** What the node appends to names: `-NODE`. */
  nameSuffix: string;
  /** Upstream's rule for the kubelet's own directory: one Pod a file. */
  onePod?: boolean;
  /** Whether ConfigMaps and Secrets of manifests are there for their pods. */
  servesObjects?: boolean;
}

/** Kinds of the API that make pods; the kubelet of a node runs none of them. */
const WORKLOADS = new Set([
  'Deployment',
  'ReplicaSet',
  'StatefulSet',
  'DaemonSet',
  'Job',
  'CronJob',
  'ReplicationController',
  'PodTemplate',
]);

export function readManifest(text: string, rules: ManifestRules): ManifestPods {
  const result: ManifestPods = {
    pods: new Map(),
    written: new Map(),
    objects: new Map(),
    findings: [],
    others: [],
  };
  if (text.trim() === '') {
    const message = 'the file is empty: to end its pods, remove it';
    result.findings.push({ message, blocksUnknown: true });
    return result;
  }
  const decoded = decodeManifest(text);
  for (const { document, message, line, path, value } of decoded.errors) {
    result.findings.push({
      document,
      message,
      blocksUnknown: true,
      ...(line === undefined ? {} : { line }),
      ...(path === undefined ? {} : { field: pathText(path) }),
      ...(value === undefined ? {} : { value: valueText(value) }),
    });
  }
  for (const object of decoded.objects) addObject(object, rules, result);
  return result;
}

function addObject(object: ManifestObject, rules: ManifestRules, result: ManifestPods): void {
  const { apiVersion, kind } = object;
  const isLocal = rules.servesObjects === true && isLocalKind(kind);
  if (kind !== 'Pod' && !isLocal) {
    result.others.push(object);
    const message = unservedMessage(kind);
    result.findings.push(finding(object, { path: ['kind'], value: kind, message, severity: 'error' }));
  } else if (apiVersion !== 'v1') {
    const message = `must be v1 for a ${kind}`;
    const wrong = { path: ['apiVersion'], value: apiVersion, message, severity: 'error' } as const;
    result.findings.push({ ...finding(object, wrong), blocksUnknown: true });
  } else if (isLocal) {
    const { local, key, findings } = readObject(kind, object);
    take(object, key, findings, result.objects, local, result);
  } else if (rules.onePod === true && result.pods.size > 0) {
    const message = 'only the first Pod of a file is run here: give each a file of its own';
    result.findings.push(finding(object, { path: [], message, severity: 'error' }));
  } else addPod(object, rules, result);
}

function unservedMessage(kind: string): string {
  if (WORKLOADS.has(kind)) return `a ${kind} is not run by a node: write the Pod that it would make`;
  return isLocalKind(kind)
    ? `a ${kind} of a manifest is there for pods in standalone mode only`
    : `kind ${kind} is not served from manifests`;
}

function addPod(object: ManifestObject, rules: ManifestRules, result: ManifestPods): void {
  const shape = new Field();
  const read = (conform(object.value, 'Pod', shape) ?? {}) as Pod;
  const written = withoutForeignMarks(read);
  const pod = withPodDefaults(written);
  const key = keyOf(pod);
  const judged = validatePod(pod, { nameSuffix: rules.nameSuffix });
  const references = new Field();
  if (pod.spec !== undefined) refuseApiReferences(pod.spec, references.at('spec'), rules.servesObjects);
  const all = [...shape.findings, ...withoutConsequences(judged, shape.findings), ...references.findings];
  const taken = take(object, key, all, result.pods, pod, result);
  if (taken && key !== undefined) result.written.set(key, written);
}

/** Takes what was read in `all`, unless something is wrong with it; says whether. `key`: undefined where it has no name. */
function take<T>(
  object: ManifestObject,
  key: string | undefined,
  found: readonly Finding[],
  all: Map<string, T>,
  read: T,
  result: ManifestPods,
): boolean {
  if (key !== undefined && all.has(key)) {
    const what = object.kind === 'Pod' ? `Pod ${key}` : key;
    const message = `an earlier document of the file is a ${what}, too`;
    const { name } = (object.value['metadata'] ?? {}) as { name?: unknown };
    const twice = { path: ['metadata', 'name'], value: name, message, severity: 'error' } as const;
    result.findings.push(...[...found, twice].map((each) => finding(object, each)));
    return false;
  }
  const blocks = key === undefined ? { blocksUnknown: true as const } : { blocks: key };
  for (const each of found) {
    result.findings.push({ ...finding(object, each), ...(each.severity === 'error' ? blocks : {}) });
  }
  if (key === undefined || found.some((each) => each.severity === 'error')) return false;
  all.set(key, read);
  return true;
}

function keyOf(pod: Pod): PodKey | undefined {
  const { name, namespace } = pod.metadata ?? {};
  return name ? `${namespace}/${name}` : undefined;
}

function finding(object: ManifestObject, { path, value, message, severity }: Finding): ManifestFinding {
  const line = object.lineOf(path);
  const whole = [...object.root, ...path];
  return {
    document: object.document,
    message,
    ...(whole.length === 0 ? {} : { field: pathText(whole) }),
    ...(value === undefined ? {} : { value: valueText(value) }),
    ...(line === undefined ? {} : { line }),
    ...(severity === 'warning' ? { severity } : {}),
  };
}

/** A value as JSON, cut to what a line of output can hold. */
function valueText(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 100 ? `${text.slice(0, 99)}…` : text;
}
