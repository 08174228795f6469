import { describe, expect, it } from 'vitest';
import { withPodDefaults } from '../defaults.ts';
import type { PodSpec } from '../types.ts';
import { Field, pathText } from './field.ts';
import { validatePod, withoutConsequences } from './pod.ts';
import { refuseApiReferences } from './references.ts';

type Loose = Record<string, unknown>;

const base = { name: 'c', image: 'i:1' };
const container = (more: Loose): Loose => ({ containers: [{ ...base, ...more }] });
const mount = (more: Loose, volume: Loose = {}): Loose => ({
  volumes: [{ name: 'v', ...volume }],
  ...container({ volumeMounts: [{ name: 'v', mountPath: '/v', ...more }] }),
});
const security = (more: Loose): Loose => container({ securityContext: more });
const probe = (more: Loose): Loose => container({ livenessProbe: { exec: { command: ['a'] }, ...more } });

function findings(spec: Loose, metadata: Loose = {}): string[] {
  const given: Loose = { containers: [base], ...spec };
  const whole = given as unknown as PodSpec;
  const pod = withPodDefaults({ metadata: { name: 'p', ...metadata }, spec: whole });
  return validatePod(pod, { nameSuffix: '-node' }).map((each) => `${pathText(each.path)}: ${each.message}`);
}

it.each<[string, Loose]>([
  ['nothing special', {}],
  [
    'two ports of one number with two protocols',
    container({ ports: [{ containerPort: 53 }, { containerPort: 53, protocol: 'UDP' }] }),
  ],
  [
    'a sidecar with a probe',
    {
      initContainers: [
        { ...base, name: 's', restartPolicy: 'Always', livenessProbe: { tcpSocket: { port: 1 } } },
      ],
    },
  ],
  [
    'restart rules',
    container({
      restartPolicy: 'Never',
      restartPolicyRules: [{ action: 'Restart', exitCodes: { operator: 'In', values: [1] } }],
    }),
  ],
  ['a subPath', mount({ subPath: 'a/b' })],
  ['an overcommitted limit', container({ resources: { limits: { cpu: '2' }, requests: { cpu: '1' } } })],
  ['an extended resource', container({ resources: { limits: { 'example.com/gpu': '2' } } })],
  ['huge pages', container({ resources: { limits: { memory: '1Gi', 'hugepages-2Mi': '4Mi' } } })],
  ['a relaxed environment name', container({ env: [{ name: 'a b-c.1' }] })],
  [
    'a label by the downward API',
    container({ env: [{ name: 'A', valueFrom: { fieldRef: { fieldPath: "metadata.labels['a/b']" } } }] }),
  ],
  ['grace period zero', { terminationGracePeriodSeconds: 0 }],
  [
    'its own nameservers',
    { dnsPolicy: 'None', dnsConfig: { nameservers: ['10.0.0.1'], searches: ['a.b.', '.', '_x.y'] } },
  ],
  ['pull secrets', { imagePullSecrets: [{ name: 'registry' }] }],
])('takes a pod with %s', (_what, spec) => expect(findings(spec)).toEqual([]));

const initWith = (more: Loose): Loose => ({ initContainers: [{ name: 'i', image: 'i:1', ...more }] });

describe('refuses', () => {
  it.each<[string, Loose, string | RegExp]>([
    ['no container', { containers: [] }, 'spec.containers: must have'],
    ['no image', container({ image: '' }), 'spec.containers[0].image: must be set'],
    ['a padded image', container({ image: ' a' }), 'spec.containers[0].image: must have no space'],
    ['a bad container name', container({ name: 'A' }), 'spec.containers[0].name: must be lower case'],
    ['two containers of a name', { containers: [base, base] }, 'spec.containers[1].name: another container'],
    [
      'an init container with a container’s name',
      initWith({ name: 'c' }),
      'spec.initContainers[0].name: another',
    ],
    [
      'a bad pull policy',
      container({ imagePullPolicy: 'always' }),
      'spec.containers[0].imagePullPolicy: must be one of "Always"',
    ],
    [
      'port 0',
      container({ ports: [{ containerPort: 0 }] }),
      'spec.containers[0].ports[0].containerPort: must be set',
    ],
    [
      'port 65536',
      container({ ports: [{ containerPort: 65536 }] }),
      'ports[0].containerPort: must be between 1 and 65535',
    ],
    [
      'two ports of a name',
      container({
        ports: [
          { containerPort: 1, name: 'a' },
          { containerPort: 2, name: 'a' },
        ],
      }),
      'ports[1].name: another',
    ],
    [
      'a host port twice',
      {
        containers: [
          { ...base, ports: [{ containerPort: 1, hostPort: 9 }] },
          { ...base, name: 'd', ports: [{ containerPort: 2, hostPort: 9 }] },
        ],
      },
      'spec.containers[1].ports[0].hostPort: another',
    ],
    [
      'another host port on the host network',
      { hostNetwork: true, ...container({ ports: [{ containerPort: 1, hostPort: 2 }] }) },
      'must equal containerPort',
    ],
    [
      'an unknown protocol',
      container({ ports: [{ containerPort: 1, protocol: 'tcp' }] }),
      'ports[0].protocol: must be one of',
    ],
    ['an empty environment name', container({ env: [{ name: '' }] }), 'env[0].name: must be set'],
    ["'=' in an environment name", container({ env: [{ name: 'a=b' }] }), 'env[0].name: must be printable'],
    [
      'value and valueFrom',
      container({
        env: [{ name: 'A', value: 'x', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } }],
      }),
      'valueFrom: must not be set beside value',
    ],
    [
      'an unknown downward field',
      container({ env: [{ name: 'A', valueFrom: { fieldRef: { fieldPath: 'spec.x' } } }] }),
      'fieldRef.fieldPath: must be one of',
    ],
    [
      'an unknown resource field',
      container({ env: [{ name: 'A', valueFrom: { resourceFieldRef: { resource: 'limits.disk' } } }] }),
      'resourceFieldRef.resource: must be one of',
    ],
    [
      'a file key without a volume',
      container({
        env: [{ name: 'A', valueFrom: { fileKeyRef: { volumeName: 'v', path: 'a', key: 'K' } } }],
      }),
      'volumeName: the pod has no volume',
    ],
    [
      'a negative amount',
      container({ resources: { limits: { cpu: '-1' } } }),
      'limits.cpu: must not be negative',
    ],
    [
      'request above limit',
      container({ resources: { limits: { cpu: '1' }, requests: { cpu: '2' } } }),
      'requests.cpu: must be at most the limit of cpu, 1',
    ],
    [
      'an unknown resource',
      container({ resources: { limits: { disk: '1' } } }),
      'limits.disk: must be one of cpu',
    ],
    [
      'half a device',
      container({ resources: { limits: { 'example.com/gpu': '500m' } } }),
      'must be a whole number',
    ],
    [
      'huge pages alone',
      container({ resources: { limits: { 'hugepages-2Mi': '2Mi' } } }),
      'huge pages need cpu or memory',
    ],
    [
      'half a huge page',
      container({ resources: { limits: { cpu: '1', 'hugepages-2Mi': '3Mi' } } }),
      'multiple of the page size',
    ],
    [
      'pod requests below the containers’',
      {
        resources: { limits: { cpu: '2' }, requests: { cpu: '1' } },
        ...container({ resources: { requests: { cpu: '2' } } }),
      },
      'spec.resources.requests.cpu: must be at least',
    ],
    [
      'a bad restart policy',
      { restartPolicy: 'always' },
      'spec.restartPolicy: must be one of "Always", "OnFailure", "Never"',
    ],
    [
      'a bad container restart policy',
      initWith({ restartPolicy: 'Sometimes' }),
      'spec.initContainers[0].restartPolicy: must be one of',
    ],
    [
      'restart rules without policy',
      container({ restartPolicyRules: [{ action: 'Restart', exitCodes: { operator: 'In' } }] }),
      'restartPolicy: must be set',
    ],
    [
      'a probe on an init container',
      initWith({ livenessProbe: { exec: { command: ['a'] } } }),
      'livenessProbe: must not be set on an init container',
    ],
    [
      'a hook on an init container',
      initWith({ lifecycle: { preStop: { exec: { command: ['a'] } } } }),
      'lifecycle: must not be set on an init',
    ],
    [
      'a probe that does nothing',
      container({ livenessProbe: {} }),
      'livenessProbe: must have exactly one of',
    ],
    [
      'a probe that does two things',
      probe({ tcpSocket: { port: 1 } }),
      'livenessProbe: must have exactly one of',
    ],
    ['an empty command', container({ livenessProbe: { exec: {} } }), 'exec.command: must be set'],
    ['a liveness probe with two successes', probe({ successThreshold: 2 }), 'successThreshold: must be'],
    ['a negative period', probe({ periodSeconds: -1 }), 'periodSeconds: must be at least 0'],
    [
      'a bad port name',
      container({ readinessProbe: { httpGet: { port: '80' } } }),
      'httpGet.port: must be at most 15',
    ],
    [
      'a bad scheme',
      container({ readinessProbe: { httpGet: { port: 80, scheme: 'http' } } }),
      'scheme: must be one of',
    ],
    [
      'a sleep longer than the grace period',
      container({ lifecycle: { preStop: { sleep: { seconds: 31 } } } }),
      'sleep.seconds: must be between 0',
    ],
    [
      'two volumes of a name',
      { volumes: [{ name: 'v' }, { name: 'v' }] },
      'spec.volumes[1].name: another volume',
    ],
    [
      'a volume of two kinds',
      { volumes: [{ name: 'v', emptyDir: {}, hostPath: { path: '/a' } }] },
      'spec.volumes[0]: must be of exactly one kind',
    ],
    [
      'an unknown medium',
      { volumes: [{ name: 'v', emptyDir: { medium: 'Disk' } }] },
      'emptyDir.medium: must be',
    ],
    [
      "'..' in a hostPath",
      { volumes: [{ name: 'v', hostPath: { path: '/a/../b' } }] },
      "hostPath.path: must not contain '..'",
    ],
    [
      'NUL in a hostPath',
      { volumes: [{ name: 'v', hostPath: { path: '/a\0b' } }] },
      'hostPath.path: must not contain the character NUL',
    ],
    [
      'an unknown hostPath type',
      { volumes: [{ name: 'v', hostPath: { path: '/a', type: 'dir' } }] },
      'hostPath.type: must be one of',
    ],
    [
      'a wide mode',
      { volumes: [{ name: 'v', downwardAPI: { defaultMode: 1024 } }] },
      'defaultMode: must be between 0 and 0777',
    ],
    [
      "'..' in a downward path",
      {
        volumes: [
          {
            name: 'v',
            downwardAPI: { items: [{ path: '..data', fieldRef: { fieldPath: 'metadata.name' } }] },
          },
        ],
      },
      "path: must not begin with '..'",
    ],
    [
      'a mount of no volume',
      container({ volumeMounts: [{ name: 'v', mountPath: '/v' }] }),
      'volumeMounts[0].name: the pod has no volume of this name (it has none)',
    ],
    [
      'two mounts at a path',
      {
        volumes: [{ name: 'v' }],
        ...container({
          volumeMounts: [
            { name: 'v', mountPath: '/v' },
            { name: 'v', mountPath: '/v' },
          ],
        }),
      },
      'volumeMounts[1].mountPath: must be the only one',
    ],
    ['an absolute subPath', mount({ subPath: '/a' }), 'subPath: must be a relative path'],
    ["'..' in a subPath", mount({ subPath: 'a/../../b' }), "subPath: must not contain '..'"],
    [
      'shared mounts without privilege',
      mount({ mountPropagation: 'Bidirectional' }),
      'mountPropagation: is for privileged',
    ],
    [
      'recursive read-only that may be written',
      mount({ recursiveReadOnly: 'Enabled' }),
      'recursiveReadOnly: needs readOnly: true',
    ],
    [
      'a negative grace period',
      { terminationGracePeriodSeconds: -1 },
      'spec.terminationGracePeriodSeconds: must be at least 0',
    ],
    ['deadline 0', { activeDeadlineSeconds: 0 }, 'spec.activeDeadlineSeconds: must be between 1'],
    ['a negative user', security({ runAsUser: -1 }), 'runAsUser: must be between 0 and 2147483647'],
    [
      'a user beyond 31 bits',
      { securityContext: { runAsUser: 2 ** 31 } },
      'spec.securityContext.runAsUser: must be between',
    ],
    [
      'a seccomp profile without a name',
      security({ seccompProfile: { type: 'Localhost', localhostProfile: '' } }),
      'localhostProfile: must be set',
    ],
    [
      'a seccomp profile outside its folder',
      security({ seccompProfile: { type: 'Localhost', localhostProfile: '../a' } }),
      "localhostProfile: must not contain '..'",
    ],
    [
      'privileged without escalation',
      security({ privileged: true, allowPrivilegeEscalation: false }),
      'must not be false beside privileged',
    ],
    ['an unmasked /proc', security({ procMount: 'Unmasked' }), 'procMount: needs hostUsers: false'],
    [
      'a bad sysctl',
      { securityContext: { sysctls: [{ name: 'a b', value: '1' }] } },
      'sysctls[0].name: must be',
    ],
    [
      'a network sysctl of the host',
      { hostNetwork: true, securityContext: { sysctls: [{ name: 'net.ipv4.ip_forward', value: '1' }] } },
      'must not be set with hostNetwork',
    ],
    ['a bad host name', { hostname: 'a.b' }, 'spec.hostname: must be lower case'],
    [
      'a bad host alias',
      { hostAliases: [{ ip: 'x', hostnames: ['A'] }] },
      /ip: must be an IP address[^]*hostnames\[0\]: must be/,
    ],
    ['no nameserver', { dnsPolicy: 'None' }, 'dnsConfig.nameservers: must have at least one'],
    ['an unknown DNS policy', { dnsPolicy: 'Cluster' }, 'spec.dnsPolicy: must be one of'],
    [
      'a toleration without key and operator',
      { tolerations: [{ effect: 'NoExecute' }] },
      'operator: must be Exists',
    ],
    [
      'host network with own users',
      { hostUsers: false, hostNetwork: true },
      'spec.hostNetwork: must not be true with hostUsers',
    ],
    ['Windows', { os: { name: 'windows' } }, 'spec.os.name: must be one of "linux"'],
    [
      'ephemeral containers',
      { ephemeralContainers: [{ ...base, name: 'e' }] },
      'can only be added to a running pod',
    ],
  ])('%s', (_what, spec, expected) => {
    const found = findings(spec).join('\n');
    if (typeof expected === 'string') expect(found).toContain(expected);
    else expect(found).toMatch(expected);
  });

  it.each<[string, Loose, string]>([
    ['no name', { name: undefined }, 'metadata.name: must be set'],
    [
      'a generated name',
      { name: undefined, generateName: 'a-' },
      'generateName works with an API server only',
    ],
    ['a bad name', { name: 'A/B' }, 'metadata.name: must be lower case'],
    [
      'a name too long for its node',
      { name: 'a'.repeat(250) },
      'must, with "-node" after it, have at most 253',
    ],
    ['a bad namespace', { namespace: 'a.b' }, 'metadata.namespace: must be'],
    ['a UID that climbs', { uid: '../../etc' }, 'metadata.uid: names folders'],
    ['a UID with a separator', { uid: 'a_b' }, 'metadata.uid: must be'],
    ['a bad label', { labels: { 'a b': 'c d' } }, 'metadata.labels["a b"]: the key'],
    ['a bad annotation key', { annotations: { 'a/b/c': '' } }, 'the key must be NAME or DOMAIN/NAME'],
    [
      'a book of annotations',
      { annotations: { a: 'x'.repeat(300_000) } },
      'metadata.annotations: must have at most',
    ],
  ])('%s', (_what, metadata, expected) => expect(findings({}, metadata).join('\n')).toContain(expected));

  it('everything at once', () => {
    const spec = { restartPolicy: 'x', ...container({ image: '', name: '' }), volumes: [{ name: 'V' }] };
    expect(findings(spec, { name: 'P' }).map((each) => each.split(':')[0])).toEqual([
      'metadata.name',
      'spec.volumes[0].name',
      'spec.containers[0].name',
      'spec.containers[0].image',
      'spec.restartPolicy',
    ]);
  });
});

describe('references to API objects', () => {
  const refused = (spec: Loose): string[] => {
    const field = new Field();
    const whole: Loose = { containers: [base], ...spec };
    refuseApiReferences(whole as unknown as PodSpec, field.at('spec'));
    return field.findings.map(
      (each) => `${pathText(each.path)}: ${each.message.replace('static pods may not reference ', '')}`,
    );
  };
  const env = (valueFrom: Loose): Loose => ({ env: [{ name: 'A', valueFrom }] });
  const projected = (source: Loose): Loose => ({
    volumes: [{ name: 'v', projected: { sources: [source] } }],
  });

  it.each<[Loose, string]>([
    [{ serviceAccountName: 'a' }, 'spec.serviceAccountName: serviceaccounts'],
    [{ resourceClaims: [{ name: 'a' }] }, 'spec.resourceClaims: resourceclaims'],
    [
      container(env({ secretKeyRef: { name: 's', key: 'k' } })),
      'spec.containers[0].env[0].valueFrom.secretKeyRef: secrets',
    ],
    [
      container(env({ configMapKeyRef: { name: 's', key: 'k' } })),
      'spec.containers[0].env[0].valueFrom.configMapKeyRef: configmaps',
    ],
    [
      initWith({ envFrom: [{ secretRef: { name: 's' } }] }),
      'spec.initContainers[0].envFrom[0].secretRef: secrets',
    ],
    [
      initWith({ envFrom: [{ configMapRef: { name: 's' } }] }),
      'spec.initContainers[0].envFrom[0].configMapRef: configmaps',
    ],
    [{ volumes: [{ name: 'v', secret: {} }] }, 'spec.volumes[0].secret: secrets (via secret volumes)'],
    [
      { volumes: [{ name: 'v', configMap: {} }] },
      'spec.volumes[0].configMap: configmaps (via configmap volumes)',
    ],
    [
      { volumes: [{ name: 'v', persistentVolumeClaim: {} }] },
      'spec.volumes[0].persistentVolumeClaim: persistentvolumeclaims',
    ],
    [
      { volumes: [{ name: 'v', ephemeral: {} }] },
      'spec.volumes[0].ephemeral: persistentvolumeclaims (via ephemeral volumes)',
    ],
    [{ volumes: [{ name: 'v', csi: {} }] }, 'spec.volumes[0].csi: csidrivers (via CSI volumes)'],
    [
      { volumes: [{ name: 'v', iscsi: { secretRef: { name: 's' } } }] },
      'spec.volumes[0].iscsi.secretRef: secrets',
    ],
    [
      projected({ serviceAccountToken: {} }),
      'spec.volumes[0].projected.sources[0].serviceAccountToken: serviceaccounts (via projected volumes)',
    ],
    [
      projected({ clusterTrustBundle: {} }),
      'spec.volumes[0].projected.sources[0].clusterTrustBundle: clustertrustbundles',
    ],
    [
      projected({ podCertificate: {} }),
      'spec.volumes[0].projected.sources[0].podCertificate: podcertificates',
    ],
  ])('%j', (spec, expected) => expect(refused(spec)).toEqual([expected]));

  it.each<Loose>([
    { imagePullSecrets: [{ name: 'registry' }] },
    { volumes: [{ name: 'v', hostPath: { path: '/' } }] },
    projected({ downwardAPI: {} }),
    container(env({ fieldRef: { fieldPath: 'metadata.name' } })),
  ])('but not %j', (spec) => expect(refused(spec)).toEqual([]));
});

it('a part that could not be read makes no further complaints', () => {
  const broken = new Field();
  broken.at('spec', 'volumes', 0, 'name').error(5, 'must be text');
  const judged = new Field();
  judged.at('spec', 'volumes', 0, 'name').required();
  judged.at('spec', 'containers', 0, 'volumeMounts', 0, 'name').error('v', 'no volume', ['spec', 'volumes']);
  judged.at('spec', 'restartPolicy').error('x', 'real');
  expect(withoutConsequences(judged.findings, broken.findings).map((each) => each.message)).toEqual(['real']);
});
