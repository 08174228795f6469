import { describe, expect, test } from 'vitest';
import type { Container } from '#lib/kube/types.ts';
import { containerAnnotations, containerFromAnnotations } from './pod/labels.ts';
import { makePod } from './pod/testing/pod-bed.ts';

describe('a container of a pod that nobody describes any more', () => {
  const container: Container = {
    name: 'main',
    image: 'img',
    ports: [{ name: 'web', containerPort: 80 }],
    lifecycle: { preStop: { httpGet: { port: 'web', path: '/stop' } } },
  };

  test('tells in its annotations what its end needs', () => {
    const annotations = containerAnnotations(makePod('web', { containers: [container] }), container, 0);
    const { name, ports, lifecycle } = container;
    expect(containerFromAnnotations('main', annotations)).toEqual({ name, ports, lifecycle });
  });

  test.each(['{', 'null', '7', '"x"'])('is bare where they say %s', (text) => {
    const annotations = {
      'io.kubernetes.container.preStopHandler': text,
      'io.kubernetes.container.ports': text,
    };
    expect(containerFromAnnotations('main', annotations)).toEqual({ name: 'main' });
  });
});
