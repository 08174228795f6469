import { loadSync } from '@grpc/proto-loader';
import type { MethodDefinition, ServiceDefinition } from '@grpc/proto-loader';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fileURLToPath } from 'node:url';
import { readProto } from '../../../scripts/proto.ts';
import { containerConfig, sandboxConfig } from '../testing/configs.ts';
import committed from './runtime.v1.json' with { type: 'json' };
import { Schema } from './schema.ts';

const proto = fileURLToPath(new URL('runtime.v1.proto', import.meta.url));
const schema = new Schema(committed);

/** The general library on the .proto file itself: an independent reading of the same protocol. */
const library = loadSync(proto, {
  longs: Number,
  enums: String,
  defaults: true,
  arrays: true,
  objects: true,
});
const services = Object.fromEntries(
  ['RuntimeService', 'ImageService'].map((name) => [
    name,
    library[`runtime.v1.${name}`] as ServiceDefinition,
  ]),
);

function theirs(service: string, verb: string): MethodDefinition<object, object> {
  const method = services[service]?.[verb];
  if (method === undefined) throw new Error(`the library has no ${service}/${verb}`);
  return method;
}

test('the committed schema is what the .proto file gives', async () => {
  expect(committed, 'run: node scripts/proto.ts').toEqual(await readProto());
});

test('every method has the path and messages of the .proto file', () => {
  for (const [service, methods] of Object.entries(services)) {
    for (const [verb, method] of Object.entries(methods)) {
      expect(schema.method(service, verb).path).toBe(method.path);
      expect(Object.keys(committed.services[service as 'ImageService'])).toContain(verb);
    }
  }
});

const number64 = fc.oneof(
  fc.integer(),
  fc.maxSafeInteger(),
  fc.constantFrom(0, -1, 2 ** 31, -(2 ** 31), 2 ** 32, 2 ** 53 - 1, 1 - 2 ** 53),
);
const text = fc.string({ unit: 'binary', maxLength: 300 });
const map = fc.dictionary(fc.string({ maxLength: 20, minLength: 1 }), text, { maxKeys: 4 });
const resources = fc.record(
  {
    cpuPeriod: number64,
    cpuQuota: number64,
    oomScoreAdj: number64,
    memoryLimitInBytes: number64,
    cpusetCpus: text,
    unified: map,
    hugepageLimits: fc.array(fc.record({ pageSize: text, limit: fc.nat() })),
  },
  { requiredKeys: [] },
);

/** Requests whose wrapped numbers (run_as_user …) are the library's { value }, and ours plainly. */
const configs = fc.record({
  sandbox: fc.record({ hostname: text, labels: map, annotations: map }, { requiredKeys: [] }),
  resources,
  user: fc.option(number64, { nil: undefined }),
  groups: fc.array(number64, { maxLength: 5 }),
  envs: fc.array(fc.record({ key: text, value: text }), { maxLength: 5 }),
  command: fc.array(text),
  attempt: fc.nat(),
  propagation: fc.constantFrom('PROPAGATION_PRIVATE', 'PROPAGATION_BIDIRECTIONAL'),
  readonly: fc.boolean(),
});

describe('against the general library', () => {
  test('requests', () => {
    fc.assert(
      fc.property(configs, (each) => {
        const sandbox = { ...sandboxConfig('p', { attempt: each.attempt }), ...each.sandbox };
        const config = {
          ...containerConfig('c', 'i', { attempt: each.attempt }),
          command: each.command,
          envs: each.envs,
          mounts: [
            { containerPath: '/a', hostPath: '/b', readonly: each.readonly, propagation: each.propagation },
          ],
        };
        const security = { ...config.linux.securityContext, supplementalGroups: each.groups };
        const build = (user: unknown, value: (text: string) => unknown): object => ({
          podSandboxId: 's',
          sandboxConfig: sandbox,
          config: {
            ...config,
            envs: each.envs.map((env) => ({ key: env.key, value: value(env.value) })),
            linux: { resources: each.resources, securityContext: { ...security, runAsUser: user } },
          },
        });
        const ours = schema.method('RuntimeService', 'CreateContainer');
        const them = theirs('RuntimeService', 'CreateContainer');
        const plain = build(each.user, (value) => value);
        const wrapped = build(each.user === undefined ? undefined : { value: each.user }, (value) =>
          Buffer.from(value),
        );
        expect(them.requestDeserialize(ours.encode(plain))).toEqual(
          them.requestDeserialize(them.requestSerialize(wrapped)),
        );
      }),
      { numRuns: 200 },
    );
  });

  const status = fc.record({
    id: text,
    metadata: fc.record({ name: text, attempt: fc.nat() }),
    state: fc.constantFrom('CONTAINER_CREATED', 'CONTAINER_RUNNING', 'CONTAINER_EXITED', 'CONTAINER_UNKNOWN'),
    createdAt: number64,
    exitCode: fc.integer(),
    reason: text,
    labels: map,
    mounts: fc.array(fc.record({ hostPath: text, selinuxRelabel: fc.boolean() }), { maxLength: 3 }),
    user: fc.record({ linux: fc.record({ uid: number64, supplementalGroups: fc.array(number64) }) }),
  });

  test('answers', () => {
    fc.assert(
      fc.property(status, (each) => {
        const bytes = theirs('RuntimeService', 'ContainerStatus').responseSerialize({ status: each });
        const ours = schema.method('RuntimeService', 'ContainerStatus').decode(bytes);
        expect(ours).toMatchObject({ status: each });
      }),
      { numRuns: 200 },
    );
  });

  test('an answer that says nothing has every scalar, list and map, and no messages', () => {
    const ours = schema.method('RuntimeService', 'ContainerStatus');
    const bytes = theirs('RuntimeService', 'ContainerStatus').responseSerialize({ status: {} });
    expect(ours.decode(bytes)).toMatchObject({
      info: {},
      status: { id: '', createdAt: 0, state: 'CONTAINER_CREATED', mounts: [], labels: {} },
    });
    expect((ours.decode(bytes) as { status: object }).status).not.toHaveProperty('image');
  });

  test('wrapped numbers are plain, and absent is not 0', () => {
    const { responseSerialize } = theirs('RuntimeService', 'ListContainerStats');
    const bytes = responseSerialize({
      stats: [
        { cpu: { timestamp: 5, usageCoreNanoSeconds: { value: 0 } }, memory: { rssBytes: { value: 7 } } },
      ],
    });
    const { stats } = schema.method('RuntimeService', 'ListContainerStats').decode(bytes) as {
      stats: object[];
    };
    expect(stats[0]).toMatchObject({
      cpu: { timestamp: 5, usageCoreNanoSeconds: 0 },
      memory: { rssBytes: 7 },
    });
    expect(stats[0]).not.toHaveProperty('memory.workingSetBytes');
  });

  test('a filter by state', () => {
    const filter = { state: 'SANDBOX_NOTREADY', labelSelector: { a: 'b' } };
    const bytes = schema.method('RuntimeService', 'ListPodSandbox').encode({ filter });
    expect(theirs('RuntimeService', 'ListPodSandbox').requestDeserialize(bytes)).toMatchObject({
      filter: { state: { state: 'SANDBOX_NOTREADY' }, labelSelector: { a: 'b' } },
    });
    // State 0 must be said too: without it the filter would let every state through.
    const ready = schema
      .method('RuntimeService', 'ListPodSandbox')
      .encode({ filter: { state: 'SANDBOX_READY' } });
    expect(theirs('RuntimeService', 'ListPodSandbox').requestDeserialize(ready)).toMatchObject({
      filter: { state: { state: 'SANDBOX_READY' } },
    });
  });
});

describe('bytes from outside', () => {
  const decode = (bytes: Buffer): object => schema.method('RuntimeService', 'Version').decode(bytes);

  test('fields of a newer protocol are passed over', () => {
    // 100: varint, 101: 64 bits, 102: bytes, 103: 32 bits; then runtime_name (2).
    const bytes = Buffer.from('a006ff01a9060102030405060708b20603616263bd0601020304120163', 'hex');
    expect(decode(bytes)).toMatchObject({ runtimeName: 'c' });
  });

  test.each([
    ['a string longer than the message', '120563'],
    ['a varint without end', 'ff'.repeat(12)],
    ['a cut-off tag', '80'],
    ['a group', '0b'],
  ])('%s is a RangeError', (_, hex) => {
    expect(() => decode(Buffer.from(hex, 'hex'))).toThrow(RangeError);
  });

  test('whatever comes is decoded or refused, never anything else', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
        try {
          schema.method('RuntimeService', 'ListContainers').decode(Buffer.from(bytes));
        } catch (error) {
          expect(error).toBeInstanceOf(RangeError);
        }
      }),
    );
  });

  test('an annotation called __proto__ is an annotation', () => {
    const annotations: Record<string, string> = Object.fromEntries([['__proto__', 'x']]);
    const bytes = schema.method('RuntimeService', 'UpdateContainerResources').encode({ annotations });
    // annotations (4) of that request, as labels (8) of a container in ListContainersResponse.containers (1).
    const moved = Buffer.concat([Buffer.from([0x0a, bytes.length]), bytes]);
    moved[2] = 8 * 8 + 2;
    const { containers } = schema.method('RuntimeService', 'ListContainers').decode(moved) as {
      containers: { labels: object }[];
    };
    expect(Object.entries(containers[0]?.labels ?? {})).toEqual([['__proto__', 'x']]);
  });
});
