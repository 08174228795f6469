import { describe, expect, test } from 'vitest';
import type { Image } from '#cri/types.ts';
import type { AgentPod, Container, PodSpec } from '#lib/kube/types.ts';
import { makePod } from '../pod/testing/pod-bed.ts';
import { needsAppArmor } from './profiles.ts';
import { sandboxConfig } from './sandbox-config.ts';
import { containerSecurityContext } from './security-context.ts';

const image = (user: Pick<Image, 'uid'> & { username?: string } = {}): Image => ({
  id: 'sha256:img',
  repoTags: [],
  repoDigests: [],
  size: 1,
  pinned: false,
  username: '',
  ...user,
});
type PodContext = NonNullable<PodSpec['securityContext']>;
type OwnContext = NonNullable<Container['securityContext']>;

const podOf = (pod: PodContext = {}, own: OwnContext = {}, annotations = {}): AgentPod => {
  const made = makePod('p', { securityContext: pod, containers: [{ name: 'c', securityContext: own }] });
  return { ...made, metadata: { ...made.metadata, annotations } };
};

function contextOf(pod: AgentPod, user: Parameters<typeof image>[0] = {}, seccompDefault = false) {
  const [container] = pod.spec.containers;
  if (container === undefined) throw new TypeError('no container');
  return containerSecurityContext(pod, container, image(user), {
    seccompRoot: '/root/seccomp',
    seccompDefault,
    maskedPaths: ['/sys/devices/system/cpu/cpu0/thermal_throttle'],
  });
}

const sandboxOf = (pod: AgentPod) =>
  sandboxConfig(pod, {
    attempt: 0,
    cgroupParent: '/p',
    dns: undefined,
    clusterDomain: '',
    paths: { root: '/r', podLogs: '/l', containerLogs: '/c' },
  }).linux;

describe('a container', () => {
  test.each<[string, PodContext, OwnContext, Record<string, unknown>]>([
    [
      'nothing asked for',
      {},
      {},
      { privileged: false, readonlyRootfs: false, noNewPrivs: false, runAsUser: 0 },
    ],
    ['the pod’s user and group', { runAsUser: 5, runAsGroup: 6 }, {}, { runAsUser: 5, runAsGroup: 6 }],
    [
      'its own before the pod’s',
      { runAsUser: 5, runAsGroup: 6 },
      { runAsUser: 7 },
      { runAsUser: 7, runAsGroup: 6 },
    ],
    ['user 0', {}, { runAsUser: 0 }, { runAsUser: 0 }],
    [
      'groups, fsGroup first',
      { fsGroup: 9, supplementalGroups: [8, 7] },
      {},
      { supplementalGroups: [9, 8, 7] },
    ],
    ['no groups', {}, {}, { supplementalGroups: [] }],
    [
      'the groups’ policy',
      { supplementalGroupsPolicy: 'Strict' },
      {},
      { supplementalGroupsPolicy: 'Strict' },
    ],
    [
      'capabilities',
      {},
      { capabilities: { add: ['NET_ADMIN'], drop: ['ALL'] } },
      { capabilities: { addCapabilities: ['NET_ADMIN'], dropCapabilities: ['ALL'] } },
    ],
    ['all privileges', {}, { privileged: true }, { privileged: true }],
    ['a read-only root', {}, { readOnlyRootFilesystem: true }, { readonlyRootfs: true }],
    ['no escalation', {}, { allowPrivilegeEscalation: false }, { noNewPrivs: true }],
    ['escalation', {}, { allowPrivilegeEscalation: true }, { noNewPrivs: false }],
    ['an unmasked /proc', {}, { procMount: 'Unmasked' }, { maskedPaths: [], readonlyPaths: [] }],
    [
      'SELinux, its own as a whole',
      { seLinuxOptions: { user: 'u', level: 's0' } },
      { seLinuxOptions: { level: 's1' } },
      { selinuxOptions: { level: 's1' } },
    ],
    ['no seccomp', {}, {}, { seccomp: { profileType: 'Unconfined' } }],
    [
      'the pod’s seccomp',
      { seccompProfile: { type: 'RuntimeDefault' } },
      {},
      { seccomp: { profileType: 'RuntimeDefault' } },
    ],
    [
      'its own seccomp',
      { seccompProfile: { type: 'RuntimeDefault' } },
      { seccompProfile: { type: 'Localhost', localhostProfile: 'a/b.json' } },
      { seccomp: { profileType: 'Localhost', localhostRef: '/root/seccomp/a/b.json' } },
    ],
    [
      'AppArmor',
      { appArmorProfile: { type: 'RuntimeDefault' } },
      { appArmorProfile: { type: 'Localhost', localhostProfile: 'mine' } },
      { apparmor: { profileType: 'Localhost', localhostRef: 'mine' } },
    ],
    ['nothing of Windows', { windowsOptions: { hostProcess: true } }, {}, { privileged: false }],
  ])('%s', (_, pod, own, expected) => {
    expect(contextOf(podOf(pod, own))).toMatchObject(expected);
  });

  test('hides what tells of other processes, and of the processors’ heat', () => {
    const { maskedPaths, readonlyPaths } = contextOf(podOf());
    expect(maskedPaths).toContain('/proc/kcore');
    expect(maskedPaths).toContain('/sys/devices/system/cpu/cpu0/thermal_throttle');
    expect(readonlyPaths).toContain('/proc/sys');
  });

  test('seccompDefault stands in where nobody asks, and only there', () => {
    expect(contextOf(podOf(), {}, true).seccomp).toEqual({ profileType: 'RuntimeDefault' });
    const unconfined = podOf({}, { seccompProfile: { type: 'Unconfined' } });
    expect(contextOf(unconfined, {}, true).seccomp).toEqual({ profileType: 'Unconfined' });
  });

  test.each(['', '/etc/passwd', '../x', 'a/../../x'])('no seccomp profile at %j', (localhostProfile) => {
    const pod = podOf({ seccompProfile: { type: 'Localhost', localhostProfile } });
    expect(() => contextOf(pod)).toThrow(/seccompProfile.localhostProfile .*must be a path below/);
  });
});

describe('the image’s user', () => {
  test.each([
    [{ uid: 7 }, { runAsUser: 7 }],
    [{ uid: 0 }, { runAsUser: 0 }],
    [{ username: 'app' }, { runAsUsername: 'app' }],
    [{}, { runAsUser: 0 }],
  ])('%j', (user, expected) => {
    expect(contextOf(podOf(), user)).toMatchObject(expected);
  });

  const policy = (why: string): RegExp =>
    new RegExp(`^${why} \\(pod: "p_default\\(uid-p\\)", container: c\\)`);
  const root = policy('container has runAsNonRoot and image will run as root');
  test.each<[string, PodContext, OwnContext, Parameters<typeof image>[0], RegExp | undefined]>([
    ['no user', { runAsNonRoot: true }, {}, {}, root],
    ['root', { runAsNonRoot: true }, {}, { uid: 0 }, root],
    [
      'a name',
      { runAsNonRoot: true },
      {},
      { username: 'app' },
      policy(
        'container has runAsNonRoot and image has non-numeric user \\(app\\), cannot verify user is non-root',
      ),
    ],
    [
      'a number that runtimes read as root',
      { runAsNonRoot: true },
      {},
      { uid: 4_294_967_296 },
      policy('container has runAsNonRoot and image has an invalid user id \\(4294967296\\)\\. .*'),
    ],
    ['a number', { runAsNonRoot: true }, {}, { uid: 1000 }, undefined],
    ['a user asked for', { runAsNonRoot: true }, { runAsUser: 1 }, { username: 'app' }, undefined],
    [
      'root asked for',
      { runAsNonRoot: true, runAsUser: 0 },
      {},
      { uid: 5 },
      policy("container's runAsUser breaks non-root policy"),
    ],
    ['its own word against the pod’s', { runAsNonRoot: true }, { runAsNonRoot: false }, {}, undefined],
  ])('runAsNonRoot: %s', (_, pod, own, user, refusal) => {
    const make = (): unknown => contextOf(podOf(pod, own), user);
    if (refusal === undefined) expect(make).not.toThrow();
    else expect(make).toThrow(refusal);
  });
});

describe('AppArmor', () => {
  const key = 'container.apparmor.security.beta.kubernetes.io/c';

  test.each<[Record<string, string>, unknown]>([
    [{ [key]: 'runtime/default' }, { profileType: 'RuntimeDefault' }],
    [{ [key]: 'localhost/old' }, { profileType: 'Localhost', localhostRef: 'old' }],
    [{ [key]: 'unconfined' }, { profileType: 'Unconfined' }],
    [{ [`${key}x`]: 'unconfined' }, undefined],
  ])('the annotation %j', (annotations, expected) => {
    expect(contextOf(podOf({}, {}, annotations)).apparmor).toEqual(expected);
  });

  test('the container’s field, then its annotation, then the pod’s field', () => {
    const noted = { [key]: 'localhost/noted' };
    const pod = { appArmorProfile: { type: 'RuntimeDefault' } };
    const own = { appArmorProfile: { type: 'Unconfined' } };
    expect(contextOf(podOf(pod, own, noted)).apparmor).toEqual({ profileType: 'Unconfined' });
    expect(contextOf(podOf(pod, {}, noted)).apparmor).toMatchObject({ localhostRef: 'noted' });
    expect(contextOf(podOf(pod)).apparmor).toEqual({ profileType: 'RuntimeDefault' });
  });

  test('a profile without a name', () => {
    const pod = podOf({ appArmorProfile: { type: 'Localhost', localhostProfile: ' ' } });
    expect(() => contextOf(pod)).toThrow(/appArmorProfile.localhostProfile/);
  });

  test('which pods need it', () => {
    expect(needsAppArmor(podOf())).toBe(false);
    expect(needsAppArmor(podOf({ appArmorProfile: { type: 'Unconfined' } }))).toBe(false);
    expect(needsAppArmor(podOf({ appArmorProfile: { type: 'RuntimeDefault' } }))).toBe(true);
    expect(needsAppArmor(podOf({}, { appArmorProfile: { type: 'RuntimeDefault' } }))).toBe(true);
    expect(needsAppArmor(podOf({}, {}, { [key]: 'runtime/default' }))).toBe(true);
    expect(needsAppArmor(podOf({}, {}, { [key]: 'unconfined' }))).toBe(false);
  });
});

describe('the sandbox', () => {
  test('has the pod’s users and groups, and never less seccomp than the runtime’s', () => {
    const pod = podOf({
      runAsUser: 1,
      runAsGroup: 2,
      fsGroup: 3,
      supplementalGroups: [4],
      supplementalGroupsPolicy: 'Strict',
      seLinuxOptions: { level: 's0' },
      seccompProfile: { type: 'Unconfined' },
    });
    expect(sandboxOf(pod).securityContext).toMatchObject({
      runAsUser: 1,
      runAsGroup: 2,
      supplementalGroups: [3, 4],
      supplementalGroupsPolicy: 'Strict',
      selinuxOptions: { level: 's0' },
      seccomp: { profileType: 'RuntimeDefault' },
      privileged: false,
    });
  });

  test('is privileged as soon as one container is', () => {
    expect(sandboxOf(podOf({}, { privileged: true })).securityContext.privileged).toBe(true);
  });

  test.each([
    [{}, { network: 'POD', pid: 'CONTAINER', ipc: 'POD' }],
    [{ shareProcessNamespace: true }, { network: 'POD', pid: 'POD', ipc: 'POD' }],
    [
      { hostPID: true, shareProcessNamespace: true },
      { network: 'POD', pid: 'NODE', ipc: 'POD' },
    ],
    [
      { hostNetwork: true, hostIPC: true },
      { network: 'NODE', pid: 'CONTAINER', ipc: 'NODE' },
    ],
  ])('namespaces of %j', (spec, expected) => {
    const pod = podOf();
    const own = { ...pod, spec: { ...pod.spec, ...spec } };
    expect(sandboxOf(own).securityContext.namespaceOptions).toEqual(expected);
    expect(contextOf(own).namespaceOptions).toEqual(expected);
  });

  test.each([
    [{}, 'p'],
    [{ hostname: 'own' }, 'own'],
    [{ hostname: 'own', hostnameOverride: 'other.example' }, 'other.example'],
    [{ hostNetwork: true, hostname: 'own' }, ''],
  ])('the host name of %j', (spec, expected) => {
    const pod = podOf();
    const paths = { root: '/r', podLogs: '/l', containerLogs: '/c' };
    const options = { attempt: 0, cgroupParent: '/p', clusterDomain: '', dns: undefined, paths };
    expect(sandboxConfig({ ...pod, spec: { ...pod.spec, ...spec } }, options).hostname).toBe(expected);
  });

  test('sysctls, with dots', () => {
    const sysctls = [
      { name: 'net/ipv4/ip_forward', value: '1' },
      { name: 'net.ipv4.conf.eth0/1.forwarding', value: '0' },
    ];
    expect(sandboxOf(podOf({ sysctls })).sysctls).toEqual({
      'net.ipv4.ip_forward': '1',
      'net.ipv4.conf.eth0/1.forwarding': '0',
    });
  });
});
