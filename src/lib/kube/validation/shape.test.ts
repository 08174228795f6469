import * as client from '@kubernetes/client-node';
import { describe, expect, it } from 'vitest';
import { Field, pathText } from './field.ts';
import { podSchema } from './pod-schema.ts';
import { conform } from './shape.ts';

function check(value: unknown, type = 'Pod'): { result: unknown; findings: string[] } {
  const field = new Field();
  const result = conform(value, type, field);
  const findings = field.findings.map((each) => `${each.severity} ${pathText(each.path)}: ${each.message}`);
  return { result, findings };
}

interface Attribute {
  baseName: string;
  type: string;
}

describe('the schema', () => {
  const models = client as unknown as Record<string, { getAttributeTypeMap?(): Attribute[] } | undefined>;

  it.each(Object.entries(podSchema))('%s has the fields of the API', (type, members) => {
    const model = models[`V1${type}`] ?? models[type];
    const known = (model?.getAttributeTypeMap?.() ?? []).map((each) => each.baseName).sort();
    expect(known).not.toEqual([]);
    const ours = members.split(' ').map((pair) => pair.split(':')[0] ?? '');
    expect(ours.sort()).toEqual(known);
  });

  it('names only types that it has', () => {
    const words = ['string', 'int', 'long', 'bool', 'Quantity', 'IntOrString', 'time', 'bytes', 'any'];
    const used = Object.values(podSchema).flatMap((members) =>
      members.split(' ').map((pair) => (pair.split(':')[1] ?? '').replace(/^(\[\]|\{\})+/, '')),
    );
    expect(used.filter((type) => !words.includes(type) && !(type in podSchema))).toEqual([]);
  });
});

describe('conform', () => {
  it('takes what fits and drops nulls', () => {
    const pod = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'a', labels: { x: null }, creationTimestamp: null },
      spec: {
        containers: [
          { name: 'c', image: 'i', resources: { limits: { cpu: 2, memory: '1Gi' } }, ports: null },
        ],
        volumes: [{ name: 'v', emptyDir: null }],
      },
    };
    expect(check(pod)).toEqual({
      findings: [],
      result: {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name: 'a', labels: { x: '' } },
        spec: {
          containers: [{ name: 'c', image: 'i', resources: { limits: { cpu: '2', memory: '1Gi' } } }],
          volumes: [{ name: 'v' }],
        },
      },
    });
  });

  it.each<[string, unknown, RegExp]>([
    ['string', 8080, /numbers need quotes here, as in "8080"/],
    ['string', true, /yes, no, on, off.* need quotes/],
    ['string', [], /must be text, not a list/],
    ['int', '80', /without quotes/],
    ['int', 1.5, /whole number/],
    ['int', 2 ** 31, /at most 2147483647/],
    ['long', 1e300, /at most/],
    ['bool', 'true', /true or false, without quotes/],
    ['bool', 1, /true or false/],
    ['Quantity', '1 GB', /not valid/],
    ['Quantity', true, /such as 500m/],
    ['IntOrString', {}, /whole number/],
    ['time', 'yesterday', /2026/],
    ['bytes', '%', /base64/],
    ['[]string', 'a', /must be a list/],
    ['[]string', ['a', null], /empty entry/],
    ['{}string', ['a'], /must be a map .*not a list/],
    ['{}Quantity', { cpu: null }, /amount/],
    ['Container', 'nginx', /map of fields .*not a string/],
  ])('%s refuses %j', (type, value, message) => {
    const { findings } = check(value, type);
    expect(findings).toHaveLength(1);
    expect(findings[0]).toMatch(/^error /);
    expect(findings[0]).toMatch(message);
  });

  it.each([
    [
      'PodSpec',
      { restartpolicy: 'Never' },
      'restartpolicy: there is no such field, so it does nothing (did you mean restartPolicy?)',
    ],
    [
      'Container',
      { imagePulPolicy: 'x' },
      'imagePulPolicy: there is no such field, so it does nothing (did you mean imagePullPolicy?)',
    ],
    [
      'PodSpec',
      { livenessProbe: {} },
      'livenessProbe: there is no such field, so it does nothing (livenessProbe belongs into a Container)',
    ],
    ['PodSpec', { frobnicate: 1 }, 'frobnicate: there is no such field, so it does nothing'],
  ])('warns of unknown fields of a %s', (type, value, message) => {
    expect(check(value, type)).toEqual({ result: {}, findings: [`warning ${message}`] });
  });

  it('finds everything at once and keeps the places of list entries', () => {
    const { result, findings } = check({ containers: [{ name: 1 }, { name: 'b', tty: 'no' }] }, 'PodSpec');
    expect(result).toEqual({ containers: [{}, { name: 'b' }] });
    expect(findings.map((each) => each.split(': ')[0])).toEqual([
      'error containers[0].name',
      'error containers[1].tty',
    ]);
  });

  it('takes a key __proto__ as any other', () => {
    const labels = JSON.parse('{"__proto__": "x"}') as unknown;
    const { result } = check(labels, '{}string');
    expect(Object.keys(result as object)).toEqual(['__proto__']);
    expect(({} as Record<string, unknown>)['x']).toBeUndefined();
  });
});
