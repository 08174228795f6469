import { fieldTable, type FieldSpec } from '../schema/field.ts';

const infoBufferSize = 'Buffer of logs.';
const splitStream = 'Errors to stderr, the rest to stdout.';

/** The `logging` part of a component's configuration; kube-proxy has the same. */
export const loggingFields: readonly FieldSpec[] = [
  ...fieldTable('works', [
    [
      'logging.format',
      'string',
      'text',
      'text: lines for people on a terminal, JSON elsewhere; json: always JSON.',
      { flag: 'logging-format', oneOf: ['text', 'json'], zeroIsUnset: true },
    ],
    [
      'logging.verbosity',
      'int',
      0,
      'How much is logged: 0 what matters, 2 more, 4 debugging, 6 everything.',
      { flag: 'v', min: 0, max: 2_147_483_647 },
    ],
  ]),
  ...fieldTable('warned', [
    [
      'logging.flushFrequency',
      'duration-or-ns',
      '5s',
      'How often logs are flushed.',
      { flag: 'log-flush-frequency', min: 1e-6, zeroIsUnset: true },
    ],
    [
      'logging.vmodule',
      'objects',
      undefined,
      'Verbosity by source file.',
      {
        flag: 'vmodule',
        fields: fieldTable('warned', [
          ['filePattern', 'string', undefined, 'Names of files.'],
          ['verbosity', 'int', 0, 'Their verbosity.', { min: 0, max: 2_147_483_647 }],
        ]),
      },
    ],
    ['logging.options.text.splitStream', 'bool', false, splitStream, { flag: 'log-text-split-stream' }],
    [
      'logging.options.text.infoBufferSize',
      'quantity',
      '0',
      infoBufferSize,
      { flag: 'log-text-info-buffer-size' },
    ],
    ['logging.options.json.splitStream', 'bool', false, splitStream, { flag: 'log-json-split-stream' }],
    [
      'logging.options.json.infoBufferSize',
      'quantity',
      '0',
      infoBufferSize,
      { flag: 'log-json-info-buffer-size' },
    ],
  ]),
];

export const observabilityFields: readonly FieldSpec[] = [
  ...loggingFields,
  ...fieldTable('warned', [
    [
      'showHiddenMetricsForVersion',
      'string',
      undefined,
      'Version whose hidden metrics are shown.',
      { oneOf: ['', '1.35'] },
    ],
    [
      'tracing.endpoint',
      'string',
      undefined,
      'Where traces are sent.',
      {
        check: (value) => {
          const [, scheme] = /^([a-z-]+):\/\//i.exec(value as string) ?? [];
          return scheme === undefined || ['dns', 'unix', 'unix-abstract'].includes(scheme)
            ? undefined
            : 'HOST:PORT, or a URL with dns, unix or unix-abstract';
        },
      },
    ],
    [
      'tracing.samplingRatePerMillion',
      'int',
      undefined,
      'Traces of a million that are sent.',
      { min: 0, max: 1_000_000 },
    ],
  ]),
];
