import { fieldTable } from '../schema/field.ts';
import { orDefault, port } from './bounds.ts';

/** healthz, and the certificate of the node's own HTTPS server. */
const servedFields = fieldTable('works', [
  ['healthzPort', 'int', 10_248, 'Port of healthz; 0: none.', { flag: 'healthz-port', ...port }],
  [
    'healthzBindAddress',
    'ip',
    '127.0.0.1',
    'Address of healthz.',
    { flag: 'healthz-bind-address', ...orDefault },
  ],
  ['tlsCertFile', 'path', undefined, 'Serving certificate.', { flag: 'tls-cert-file' }],
  [
    'tlsPrivateKeyFile',
    'path',
    undefined,
    'Key of the serving certificate.',
    { flag: 'tls-private-key-file' },
  ],
  [
    'serverTLSBootstrap',
    'bool',
    false,
    'Request and renew the serving certificate.',
    { flag: 'rotate-server-certificates' },
  ],
]);

/** The node's own HTTPS server, and who may use it: it is not served yet. */
const laterFields = fieldTable('warned', [
  ['enableServer', 'bool', true, 'Serve the node API.', { flag: 'enable-server' }],
  ['address', 'ip', '0.0.0.0', 'Address that the node API serves on.', { flag: 'address', ...orDefault }],
  ['port', 'int', 10_250, 'Port of the node API.', { flag: 'port', min: 1, max: 65_535, ...orDefault }],
  [
    'readOnlyPort',
    'int',
    0,
    'Unauthenticated port; 0: none (kubelet started by flags alone opens 10255).',
    { flag: 'read-only-port', ...port },
  ],
  ['tlsCipherSuites', 'list', undefined, 'Cipher suites of the node API.', { flag: 'tls-cipher-suites' }],
  [
    'tlsMinVersion',
    'string',
    undefined,
    'Least TLS version.',
    {
      flag: 'tls-min-version',
      oneOf: ['', 'VersionTLS10', 'VersionTLS11', 'VersionTLS12', 'VersionTLS13'],
    },
  ],
  ['tlsCurvePreferences', 'ints', undefined, 'Curves of the node API, by their TLS numbers.'],
  [
    'authentication.x509.clientCAFile',
    'path',
    undefined,
    'Authorities of client certificates for the node API.',
    { flag: 'client-ca-file' },
  ],
  [
    'authentication.webhook.enabled',
    'bool',
    true,
    'Have bearer tokens checked by the API server (kubelet started by flags alone: false).',
    { flag: 'authentication-token-webhook' },
  ],
  [
    'authentication.webhook.cacheTTL',
    'duration',
    '2m0s',
    'How long such checks hold.',
    { flag: 'authentication-token-webhook-cache-ttl', ...orDefault },
  ],
  [
    'authentication.anonymous.enabled',
    'bool',
    false,
    'Whether the node API takes anonymous requests (kubelet started by flags alone: true).',
    { flag: 'anonymous-auth' },
  ],
  [
    'authorization.mode',
    'string',
    'Webhook',
    'How the node API authorizes (kubelet started by flags alone: AlwaysAllow).',
    { flag: 'authorization-mode', oneOf: ['AlwaysAllow', 'Webhook'], ...orDefault },
  ],
  [
    'authorization.webhook.cacheAuthorizedTTL',
    'duration',
    '5m0s',
    'How long a permission holds.',
    { flag: 'authorization-webhook-cache-authorized-ttl', ...orDefault },
  ],
  [
    'authorization.webhook.cacheUnauthorizedTTL',
    'duration',
    '30s',
    'How long a refusal holds.',
    { flag: 'authorization-webhook-cache-unauthorized-ttl', ...orDefault },
  ],
  [
    'streamingConnectionIdleTimeout',
    'duration',
    '4h0m0s',
    'When an idle stream is closed.',
    { flag: 'streaming-connection-idle-timeout', ...orDefault },
  ],
  [
    'enableDebuggingHandlers',
    'bool',
    true,
    'Serve logs, exec and the like on the node API.',
    { flag: 'enable-debugging-handlers' },
  ],
  ['enableSystemLogHandler', 'bool', true, 'Serve the node’s own logs.'],
  ['enableSystemLogQuery', 'bool', false, 'Serve queries of the node’s own logs.'],
  ['enableProfilingHandler', 'bool', true, 'Serve profiles.'],
  ['enableDebugFlagsHandler', 'bool', true, 'Serve changes of the log level.'],
  ['enableContentionProfiling', 'bool', false, 'Profiling of Go’s locks.', { flag: 'contention-profiling' }],
]);

export const serverFields = [...servedFields, ...laterFields];
