import { byName } from './text.ts';
import type { DescribeText } from './text.ts';

const lastApplied = 'kubectl.kubernetes.io/last-applied-configuration';
const maxAnnotation = 140;

/** The annotations, long ones cut. */
export function describeAnnotations(
  text: DescribeText,
  given: Readonly<Record<string, string>> | undefined,
): void {
  const shorten = (part: string): string =>
    part.length > maxAnnotation - 2 ? `${part.slice(0, maxAnnotation - 2)}...` : part;
  const lines = Object.entries(given ?? {})
    .filter(([name]) => name !== lastApplied)
    .sort(byName)
    .flatMap(([name, raw]) => {
      const value = raw.replace(/\n$/, '');
      if (value.length + name.length + 2 <= maxAnnotation && !value.includes('\n'))
        return [`${name}: ${value}`];
      return [`${name}:`, ...value.split('\n').map((part) => `  ${shorten(part)}`)];
    });
  text.list('Annotations', lines);
}
