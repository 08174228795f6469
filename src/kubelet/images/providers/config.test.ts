import { describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { parseProviderConfig } from './config.ts';

const provider = (more: object = {}): object => ({
  name: 'acme',
  apiVersion: 'credentialprovider.kubelet.k8s.io/v1',
  matchImages: ['*.acme.example'],
  defaultCacheDuration: '10m',
  ...more,
});

const file = (providers: object[], more: object = {}): string =>
  stringify({
    apiVersion: 'kubelet.config.k8s.io/v1',
    kind: 'CredentialProviderConfig',
    providers,
    ...more,
  });

const token = {
  serviceAccountTokenAudience: 'registry',
  cacheType: 'ServiceAccount',
  requireServiceAccount: true,
  requiredServiceAccountAnnotationKeys: ['acme.example/id'],
};

test('a whole provider', () => {
  const more = { args: ['get'], env: [{ name: 'HOME', value: '/root' }], tokenAttributes: token };
  expect(parseProviderConfig(file([provider(more)]), 'f.yaml')).toEqual([
    {
      name: 'acme',
      apiVersion: 'credentialprovider.kubelet.k8s.io/v1',
      matchImages: ['*.acme.example'],
      defaultCacheMs: 600_000,
      args: ['get'],
      env: { HOME: '/root' },
      token: {
        audience: 'registry',
        cacheType: 'ServiceAccount',
        requireServiceAccount: true,
        requiredAnnotations: ['acme.example/id'],
        optionalAnnotations: [],
      },
    },
  ]);
});

describe('refuses, naming file, field, value and what is allowed:', () => {
  test.each([
    [file([]), 'f.yaml.providers: [] is not allowed'],
    [
      file([provider()], { kind: 'Other' }),
      'f.yaml.kind: "Other" is not allowed; allowed: CredentialProviderConfig',
    ],
    [file([provider()], { apiVersion: 'v2' }), 'f.yaml.apiVersion: "v2"'],
    [file([provider({ name: '../sh' })]), 'f.yaml: providers[0].name: "../sh"'],
    [file([provider({ name: '..' })]), 'providers[0].name: ".."'],
    [file([provider({ matchImages: [] })]), 'providers[0].matchImages: []'],
    [file([provider({ matchImages: ['a b'] })]), 'providers[0].matchImages: "a b"'],
    [file([provider({ defaultCacheDuration: '-1s' })]), 'providers[0].defaultCacheDuration: "-1s"'],
    [file([provider({ defaultCacheDuration: undefined })]), 'providers[0].defaultCacheDuration: null'],
    [file([provider({ apiVersion: 'v9' })]), 'providers[0].apiVersion: "v9"'],
    [file([provider({ tokenCount: 1 })]), 'providers[0].tokenCount: there is no such field'],
    [file([provider(), provider()]), 'provider "acme" is there twice'],
    [
      file([provider({ tokenAttributes: { ...token, requireServiceAccount: false } })]),
      'requiredServiceAccountAnnotationKeys',
    ],
    [
      file([
        provider({
          tokenAttributes: { ...token, optionalServiceAccountAnnotationKeys: ['acme.example/id'] },
        }),
      ]),
      'optionalServiceAccountAnnotationKeys: "acme.example/id"',
    ],
    [
      file([provider({ apiVersion: 'credentialprovider.kubelet.k8s.io/v1beta1', tokenAttributes: token })]),
      'tokenAttributes',
    ],
    ['{', "isn't YAML or JSON"],
  ])('%#', (text, message) => {
    expect(() => parseProviderConfig(text, 'f.yaml')).toThrow(message);
  });

  test('but never repeats the value of a variable', () => {
    const env = [{ name: 'KEY', value: 7, secret: 'hunter2' }];
    expect(() => parseProviderConfig(file([provider({ env })]), 'f')).toThrow(
      /^((?!hunter2).)*providers\[0\]\.env((?!hunter2).)*$/,
    );
  });
});
