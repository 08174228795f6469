import type {
  Container,
  ContainerState,
  ContainerStatus,
  Pod,
  ResourceRequirements,
} from '#lib/kube/types.ts';
import { describeEnvironment } from './environment.ts';
import { probeLine } from './probe.ts';
import { byName, rfc1123, trueFalse, type DescribeText } from './text.ts';

function ports(
  container: Container,
  portOf: (port: NonNullable<Container['ports']>[number]) => number,
): string[] {
  return (container.ports ?? []).map((port) => {
    const text = `${portOf(port)}/${port.protocol ?? 'TCP'}`;
    return port.name ? `${text} (${port.name})` : text;
  });
}

function portLine(text: DescribeText, title: string, list: readonly string[]): void {
  if (list.length > 1) text.line(2, `${title}s:`, list.join(', '));
  else text.line(2, `${title}:`, list[0] ?? '<none>');
}

function basics(text: DescribeText, container: Container, status: ContainerStatus | undefined): void {
  text.line(1, `${container.name}:`);
  if (status !== undefined) text.line(2, 'Container ID:', status.containerID ?? '');
  text.line(2, 'Image:', container.image ?? '');
  if (status !== undefined) text.line(2, 'Image ID:', status.imageID);
  portLine(
    text,
    'Port',
    ports(container, (port) => port.containerPort),
  );
  portLine(
    text,
    'Host Port',
    ports(container, (port) => port.hostPort ?? 0),
  );
  const seccomp = container.securityContext?.seccompProfile;
  if (seccomp === undefined) return;
  text.line(2, 'SeccompProfile:', seccomp.type);
  if (seccomp.type === 'Localhost') text.line(3, 'LocalhostProfile:', seccomp.localhostProfile ?? '');
}

function words(text: DescribeText, title: string, list: readonly string[] | undefined): void {
  if (list === undefined || list.length === 0) return;
  text.line(2, `${title}:`);
  for (const word of list) for (const part of word.split('\n')) text.line(3, part);
}

function state(text: DescribeText, title: string, given: ContainerState | undefined): void {
  const { running, terminated, waiting } = given ?? {};
  if (running !== undefined) {
    text.line(2, `${title}:`, 'Running').line(3, 'Started:', rfc1123(running.startedAt));
  } else if (terminated !== undefined && waiting === undefined) {
    text.line(2, `${title}:`, 'Terminated');
    if (terminated.reason) text.line(3, 'Reason:', terminated.reason);
    if (terminated.message) text.line(3, 'Message:', terminated.message);
    text.line(3, 'Exit Code:', String(terminated.exitCode));
    if ((terminated.signal ?? 0) > 0) text.line(3, 'Signal:', String(terminated.signal));
    text
      .line(3, 'Started:', rfc1123(terminated.startedAt))
      .line(3, 'Finished:', rfc1123(terminated.finishedAt));
  } else {
    text.line(2, `${title}:`, 'Waiting');
    if (waiting?.reason) text.line(3, 'Reason:', waiting.reason);
  }
}

export function describeResources(
  text: DescribeText,
  level: number,
  resources: Pick<ResourceRequirements, 'limits' | 'requests'> | undefined,
): void {
  for (const [title, amounts] of [
    ['Limits', resources?.limits],
    ['Requests', resources?.requests],
  ] as const) {
    const list = Object.entries(amounts ?? {}).sort(byName);
    if (list.length > 0) text.line(level, `${title}:`);
    for (const [name, amount] of list) text.line(level + 1, `${name}:`, amount);
  }
}

function mounts(text: DescribeText, container: Container): void {
  const list = (container.volumeMounts ?? []).toSorted((a, b) => (a.mountPath < b.mountPath ? -1 : 1));
  text.line(2, ...(list.length === 0 ? ['Mounts:', '<none>'] : ['Mounts:']));
  for (const mount of list) {
    const path = mount.subPath ? `,path=${JSON.stringify(mount.subPath)}` : '';
    text.line(3, `${mount.mountPath} from ${mount.name} (${mount.readOnly === true ? 'ro' : 'rw'}${path})`);
  }
  const devices = (container.volumeDevices ?? []).toSorted((a, b) => (a.devicePath < b.devicePath ? -1 : 1));
  if (devices.length > 0) text.line(2, 'Devices:');
  for (const device of devices) text.line(3, `${device.devicePath} from ${device.name}`);
}

/** One group of containers under its title, each with its status. */
export function describeContainers(
  text: DescribeText,
  title: string,
  containers: readonly Container[],
  statuses: readonly ContainerStatus[] | undefined,
  pod: Pod,
): void {
  text.line(0, containers.length === 0 ? `${title}: <none>` : `${title}:`);
  for (const container of containers) {
    const status = statuses?.find(({ name }) => name === container.name);
    basics(text, container, status);
    words(text, 'Command', container.command);
    words(text, 'Args', container.args);
    if (status !== undefined) {
      state(text, 'State', status.state);
      if (status.lastState?.terminated !== undefined) state(text, 'Last State', status.lastState);
      text.line(2, 'Ready:', trueFalse(status.ready)).line(2, 'Restart Count:', String(status.restartCount));
    }
    describeResources(text, 2, container.resources);
    for (const [name, probe] of [
      ['Liveness', container.livenessProbe],
      ['Readiness', container.readinessProbe],
      ['Startup', container.startupProbe],
    ] as const) {
      if (probe !== undefined) text.line(2, `${name}:`, probeLine(probe));
    }
    describeEnvironment(text, container, pod);
    mounts(text, container);
  }
}
