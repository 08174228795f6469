import { fieldTable } from '../schema/field.ts';
import { orDefault } from './bounds.ts';

const positive = { min: 1 };

/** Where pods come from, and the runtime that they go to. */
export const sourceFields = [
  ...fieldTable('works', [
    [
      'staticPodPath',
      'path',
      undefined,
      'Directory of pod manifests, or one manifest.',
      { flag: 'pod-manifest-path' },
    ],
    [
      'staticPodURL',
      'string',
      undefined,
      'URL that is polled for a pod or a list of pods.',
      { flag: 'manifest-url', secret: true },
    ],
    [
      'staticPodURLHeader',
      'headers',
      undefined,
      'Headers sent to the URL of manifests; as a flag name:value, repeatable.',
      { flag: 'manifest-url-header', secret: true },
    ],
    [
      'fileCheckFrequency',
      'duration',
      '20s',
      'How often manifests are re-read even without an event.',
      { flag: 'file-check-frequency', ...positive, ...orDefault },
    ],
    [
      'httpCheckFrequency',
      'duration',
      '20s',
      'How often the URL of manifests is asked.',
      { flag: 'http-check-frequency', ...positive, ...orDefault },
    ],
    [
      'containerRuntimeEndpoint',
      'string',
      'unix:///run/containerd/containerd.sock',
      'Socket of the container runtime.',
      { flag: 'container-runtime-endpoint', ...orDefault },
    ],
    [
      'imageServiceEndpoint',
      'string',
      undefined,
      'Socket of the image service, if it isn’t the runtime’s own.',
      { flag: 'image-service-endpoint' },
    ],
    [
      'runtimeRequestTimeout',
      'duration',
      '2m0s',
      'Deadline of a call to the runtime, but for pulls.',
      { flag: 'runtime-request-timeout', ...positive, ...orDefault },
    ],
    [
      'podLogsDir',
      'path',
      '/var/log/pods',
      'Where containers’ logs are: an absolute path of ASCII characters.',
      {
        ...orDefault,
        check: (value) => (/^[\x20-\x7e]+$/.test(value as string) ? undefined : 'a path of ASCII characters'),
      },
    ],
    [
      'containerLogMaxSize',
      'quantity',
      '10Mi',
      'Size at which a container’s log is rotated.',
      { flag: 'container-log-max-size', ...positive, ...orDefault },
    ],
    [
      'containerLogMaxFiles',
      'int',
      5,
      'Log files kept for a container.',
      { flag: 'container-log-max-files', min: 2 },
    ],
    ['containerLogMaxWorkers', 'int', 1, 'Logs looked at at once for rotation.', { min: 1 }],
    ['containerLogMonitorInterval', 'duration', '10s', 'How often logs’ sizes are looked at.', { min: 3000 }],
    ['featureGates', 'gates', undefined, 'Features to switch on or off.', { flag: 'feature-gates' }],
    [
      'runOnce',
      'bool',
      false,
      'Start the pods and end: neither nodelet nor upstream does that any more.',
      { flag: 'runonce', check: (value) => (value === true ? 'false' : undefined) },
    ],
  ]),
  ...fieldTable('warned', [
    [
      'syncFrequency',
      'duration',
      '1m0s',
      'Longest time between two looks at a pod; nodelet looks when something has changed.',
      { flag: 'sync-frequency', ...orDefault },
    ],
    [
      'configMapAndSecretChangeDetectionStrategy',
      'string',
      'Watch',
      'How changes of objects that pods name are noticed.',
      { oneOf: ['Get', 'Cache', 'Watch'], ...orDefault },
    ],
  ]),
];
