import { dns1123Label, portName } from '../names.ts';
import type { Container, PodSpec } from '../types.ts';
import { validateEnv } from './env.ts';
import type { Field } from './field.ts';
import { validateProbes } from './probes.ts';
import { validateResources } from './resources.ts';
import { validateSecurityContext } from './security.ts';
import { validateMounts } from './volumes.ts';

const PROTOCOLS = ['TCP', 'UDP', 'SCTP'];
const RESTART_POLICIES = ['Always', 'OnFailure', 'Never'];

function validatePorts(container: Container, hostNetwork: boolean, field: Field): void {
  const names = new Set<string>();
  for (const [i, port] of (container.ports ?? []).entries()) {
    const at = field.at(i);
    if (port.name) {
      at.at('name').check(port.name, portName(port.name));
      if (names.has(port.name)) at.at('name').error(port.name, 'another port of the container has this name');
      names.add(port.name);
    }
    if (!port.containerPort) at.at('containerPort').required('must be set, between 1 and 65535');
    else at.at('containerPort').range(port.containerPort, 1, 65535);
    if (port.hostPort) at.at('hostPort').range(port.hostPort, 1, 65535);
    if (hostNetwork && port.hostPort !== port.containerPort) {
      at.at('hostPort').error(port.hostPort, 'must equal containerPort with hostNetwork: true');
    }
    at.at('protocol').oneOf(port.protocol, PROTOCOLS);
  }
}

/** Ports of the host that one of `taken` has already; adds the container's own. */
function validateHostPorts(container: Container, taken: Set<string>, field: Field): void {
  for (const [i, { protocol, hostIP = '', hostPort }] of (container.ports ?? []).entries()) {
    if (!hostPort) continue;
    const key = `${protocol}/${hostIP}/${hostPort}`;
    if (taken.has(key))
      field.at('ports', i, 'hostPort').error(hostPort, 'another port of the pod takes this host port');
    taken.add(key);
  }
}

function validateRestart(container: Container, field: Field): void {
  const { restartPolicy, restartPolicyRules: rules = [] } = container;
  // On init containers "Always" makes a sidecar; other values, and all of them on other containers, came with 1.34.
  field.at('restartPolicy').oneOf(restartPolicy, RESTART_POLICIES);
  if (rules.length === 0) return;
  if (restartPolicy === undefined)
    field.at('restartPolicy').required('must be set beside restartPolicyRules');
  if (rules.length > 20) field.at('restartPolicyRules').error(undefined, 'must be at most 20 rules');
  for (const [i, { action, exitCodes }] of rules.entries()) {
    const at = field.at('restartPolicyRules', i);
    at.at('action').oneOf(action ?? '', ['Restart', 'RestartAllContainers']);
    if (exitCodes === undefined) at.at('exitCodes').required();
    else at.at('exitCodes', 'operator').oneOf(exitCodes.operator ?? '', ['In', 'NotIn']);
    if ((exitCodes?.values ?? []).length > 255)
      at.at('exitCodes', 'values').error(undefined, 'must be at most 255 values');
  }
}

function validateResizePolicy(container: Container, podPolicy: string | undefined, field: Field): void {
  for (const [i, policy] of (container.resizePolicy ?? []).entries()) {
    field.at(i, 'resourceName').oneOf(policy.resourceName ?? '', ['cpu', 'memory']);
    const allowed = podPolicy === 'Never' ? ['NotRequired'] : ['NotRequired', 'RestartContainer'];
    field.at(i, 'restartPolicy').oneOf(policy.restartPolicy ?? '', allowed);
  }
}

function validateContainer(container: Container, isInit: boolean, spec: PodSpec, field: Field): void {
  const image = container.image ?? '';
  field.at('name').checkName(container.name, dns1123Label);
  if (image === '') field.at('image').required();
  else if (image.trim() !== image) field.at('image').error(image, 'must have no space around it');
  field.at('imagePullPolicy').oneOf(container.imagePullPolicy, ['Always', 'IfNotPresent', 'Never']);
  field
    .at('terminationMessagePolicy')
    .oneOf(container.terminationMessagePolicy, ['File', 'FallbackToLogsOnError']);
  const volumes = spec.volumes ?? [];
  validatePorts(container, spec.hostNetwork === true && !isInit, field.at('ports'));
  validateEnv(container, volumes, field);
  validateMounts(container, volumes, field);
  validateResources(container.resources, false, field.at('resources'));
  validateResizePolicy(container, spec.restartPolicy, field.at('resizePolicy'));
  validateSecurityContext(container.securityContext, spec.hostUsers !== false, field.at('securityContext'));
  validateRestart(container, field);
  const mayProbe = !isInit || container.restartPolicy === 'Always';
  validateProbes(container, mayProbe, spec.terminationGracePeriodSeconds ?? 30, field);
  if (container.lifecycle?.stopSignal !== undefined && spec.os === undefined) {
    field.at('lifecycle', 'stopSignal').error(container.lifecycle.stopSignal, 'needs spec.os.name: linux');
  }
}

/** All containers of the pod; `field` is the spec's. */
export function validateContainers(spec: PodSpec, field: Field): void {
  const containers = spec.containers ?? [];
  const initContainers = spec.initContainers ?? [];
  if (containers.length === 0) field.at('containers').required('must have at least one container');
  const names = new Set<string>();
  for (const [key, list] of [
    ['containers', containers],
    ['initContainers', initContainers],
  ] as const) {
    for (const [i, container] of list.entries()) {
      const at = field.at(key, i);
      validateContainer(container, key === 'initContainers', spec, at);
      if (container.name && names.has(container.name)) {
        at.at('name').error(container.name, 'another container of the pod has this name');
      }
      names.add(container.name);
    }
  }
  const taken = new Set<string>();
  for (const [i, container] of containers.entries())
    validateHostPorts(container, taken, field.at('containers', i));
  // Init containers run one after the other, so each is judged for itself, as upstream.
  for (const [i, container] of initContainers.entries()) {
    validateHostPorts(container, new Set(), field.at('initContainers', i));
  }
}
