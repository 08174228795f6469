/**
 * What the API server fills into a Pod that leaves fields out. Rules: k8s.io/kubernetes/pkg/apis/core/v1/defaults.go
 * and zz_generated.defaults.go of 1.36; the kubelet applies the same ones to static pods.
 */
import { defaultPodLevelResources, defaultRequests, roundResources } from './defaults-resources.ts';
import type { Container, Pod, Volume } from './types.ts';

type Probe = NonNullable<Container['livenessProbe']>;
type HttpGet = NonNullable<Probe['httpGet']>;

/** `latest` where an image reference names neither tag nor digest; undefined where it has a digest only. */
export function imageTag(reference: string): string | undefined {
  const [name = '', digest] = reference.split('@', 2);
  const tag = /:([^/:]+)$/.exec(name)?.[1];
  return tag ?? (digest === undefined ? 'latest' : undefined);
}

const pullPolicy = (reference: string | undefined): string =>
  imageTag(reference ?? '') === 'latest' ? 'Always' : 'IfNotPresent';

function setHttpGet(action: HttpGet | undefined): void {
  if (action === undefined) return;
  // An empty text counts as "not given" throughout, as in Go.
  action.path ||= '/';
  action.scheme ||= 'HTTP';
}

function setProbe(probe: Probe | undefined): void {
  if (probe === undefined) return;
  probe.timeoutSeconds ||= 1;
  probe.periodSeconds ||= 10;
  probe.successThreshold ||= 1;
  probe.failureThreshold ||= 3;
  setHttpGet(probe.httpGet);
  if (probe.grpc !== undefined) probe.grpc.service ??= '';
}

function setContainer(container: Container, hostNetwork: boolean): void {
  container.imagePullPolicy ||= pullPolicy(container.image);
  container.terminationMessagePath ||= '/dev/termination-log';
  container.terminationMessagePolicy ||= 'File';
  container.resources ??= {};
  for (const port of container.ports ?? []) {
    port.protocol ||= 'TCP';
    if (hostNetwork) port.hostPort ||= port.containerPort;
  }
  for (const { valueFrom } of container.env ?? []) {
    if (valueFrom?.fieldRef !== undefined) valueFrom.fieldRef.apiVersion ||= 'v1';
    if (valueFrom?.fileKeyRef !== undefined) valueFrom.fileKeyRef.optional ??= false;
  }
  roundResources(container.resources);
  defaultRequests(container.resources);
  setProbe(container.livenessProbe);
  setProbe(container.readinessProbe);
  setProbe(container.startupProbe);
  setHttpGet(container.lifecycle?.postStart?.httpGet);
  setHttpGet(container.lifecycle?.preStop?.httpGet);
}

const FILE_MODE = 0o644;

function setVolume(volume: Volume): void {
  if (Object.entries(volume).every(([key, value]) => key === 'name' || value === undefined))
    volume.emptyDir = {};
  if (volume.image !== undefined) volume.image.pullPolicy ||= pullPolicy(volume.image.reference);
  if (volume.hostPath !== undefined) volume.hostPath.type ??= '';
  if (volume.iscsi !== undefined) volume.iscsi.iscsiInterface ||= 'default';
  for (const kind of ['secret', 'configMap', 'downwardAPI', 'projected'] as const) {
    const source = volume[kind];
    if (source !== undefined) source.defaultMode ??= FILE_MODE;
  }
  const projected = volume.projected?.sources ?? [];
  for (const { serviceAccountToken } of projected) {
    if (serviceAccountToken !== undefined) serviceAccountToken.expirationSeconds ??= 3600;
  }
  for (const source of [volume.downwardAPI, ...projected.map((each) => each.downwardAPI)]) {
    for (const item of source?.items ?? [])
      if (item.fieldRef !== undefined) item.fieldRef.apiVersion ||= 'v1';
  }
}

/** A copy of the pod with the defaults filled in; `pod` must have the shape that the schema says. */
export function withPodDefaults(pod: Pod): Pod {
  const result = structuredClone(pod);
  result.apiVersion = 'v1';
  result.kind = 'Pod';
  result.metadata = { ...result.metadata, namespace: result.metadata?.namespace || 'default' };
  const spec = result.spec;
  if (spec === undefined) return result;
  spec.dnsPolicy ||= 'ClusterFirst';
  spec.restartPolicy ||= 'Always';
  spec.schedulerName ||= 'default-scheduler';
  spec.terminationGracePeriodSeconds ??= 30;
  spec.securityContext ??= {};
  spec.enableServiceLinks ??= true;
  // The old name of the field; upstream reads it where the new one is missing.
  if (spec.serviceAccount) spec.serviceAccountName ||= spec.serviceAccount;
  for (const volume of spec.volumes ?? []) setVolume(volume);
  for (const container of [...(spec.initContainers ?? []), ...(spec.containers ?? [])]) {
    setContainer(container, spec.hostNetwork === true);
  }
  if (spec.resources !== undefined) {
    roundResources(spec.resources);
    defaultPodLevelResources(spec, spec.resources);
  }
  return result;
}
