import { describe, expect, test } from 'vitest';
import { recordFileName } from './files.ts';
import { RecordError, decodeIntent, decodePulled, encodeIntent, encodePulled, recordTime } from './format.ts';

// Texts and names that kubelet itself writes: either agent reads the other's.
const intent =
  '{"kind":"ImagePullIntent","apiVersion":"kubelet.config.k8s.io/v1beta1","image":"repo.repo/test/test:v1"}\n';
const record =
  '{"kind":"ImagePulledRecord","apiVersion":"kubelet.config.k8s.io/v1beta1","lastUpdatedTime":"2024-10-21T12:26:40Z",' +
  '"imageRef":"testimageref","credentialMapping":{"docker.io/testing/test":{"kubernetesSecrets":[{"uid":"testsecretuid",' +
  '"namespace":"default","name":"pull-secret","credentialHash":"testsecrethash"}]}}}\n';
const anonymous =
  '{"kind":"ImagePulledRecord","apiVersion":"kubelet.config.k8s.io/v1beta1","lastUpdatedTime":"2024-10-21T12:26:40Z",' +
  '"imageRef":"testimage-anonpull","credentialMapping":{"docker.io/testing/test":{"nodePodsAccessible":true}}}\n';
const empty =
  '{"kind":"ImagePulledRecord","apiVersion":"kubelet.config.k8s.io/v1beta1","lastUpdatedTime":"2024-10-21T12:26:40Z",' +
  '"imageRef":"testemptycredmapping"}\n';

test('an intent reads and writes as kubelet has it', () => {
  expect(encodeIntent(decodeIntent(intent))).toBe(intent);
});

test.each([record, anonymous, empty])('a record reads and writes as kubelet has it: %s', (text) => {
  expect(encodePulled(decodePulled(text))).toBe(text);
  expect(encodePulled(decodePulled(text.replace('v1beta1', 'v1alpha1')))).toBe(text);
});

test.each([
  ['repo.repo/test/test:v1', 'sha256-ee81caca15454863449fb55a1d942904d56d5ed9f9b20a7cb3453944ea2c7e11'],
  ['testimageref', 'sha256-b3c0cc4278800b03a308ceb2611161430df571ca733122f0a40ac8b9792a9064'],
])("%s has kubelet's file name", (key, name) => {
  expect(recordFileName(key)).toBe(name);
});

describe('what is refused', () => {
  test.each([
    '',
    '{}',
    '[]',
    record.replace('ImagePulledRecord', 'ImagePullIntent'),
    record.replace('v1beta1', 'v2'),
    record.replace('"testimageref"', '1'),
    record.replace('"testsecrethash"', '1'),
    record.replace('}]', ''),
    anonymous.replace('true', '"true"'),
    anonymous.replace('{"nodePodsAccessible":true}', 'null'),
  ])('%j', (text) => {
    expect(() => decodePulled(text)).toThrow(RecordError);
  });
  test.each(['', '{"kind":"ImagePullIntent","apiVersion":"kubelet.config.k8s.io/v1beta1"}'])('%j', (text) => {
    expect(() => decodeIntent(text)).toThrow(RecordError);
  });
});

test('times have whole seconds', () => {
  expect(recordTime(Date.parse('2026-01-02T03:04:05.678Z'))).toBe('2026-01-02T03:04:05Z');
});
