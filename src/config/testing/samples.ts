import type { FieldSpec, Json } from '../schema/field.ts';

const second = 1000;

/** A value that the field takes and that isn't its default. */
export function goodValue(spec: FieldSpec): Json {
  const { type, oneOf, min = 0, max = Infinity, default: initial } = spec;
  const other = oneOf?.find((each) => each !== initial && each !== '');
  switch (type) {
    case 'bool':
      return initial !== true;
    case 'int':
    case 'number': {
      const candidates = [min + 1, max - 1, 1, 65_536, 131_072, 0.5];
      const fits = (value: number): boolean =>
        value >= min && value <= max && value !== initial && spec.check?.(value) === undefined;
      return candidates.find(fits) ?? 1;
    }
    case 'duration':
    case 'duration-or-ns':
      return `${Math.min(Math.max(min, 7 * second), max)}ms`;
    case 'quantity':
      return '5Mi';
    case 'ip':
      return '10.9.8.7';
    case 'address':
      return '10.9.8.7:99';
    case 'cidr':
      return '10.9.0.0/16';
    case 'list':
      return [spec.check === undefined ? 'x' : '10.9.0.0/16'];
    case 'ints':
      return [29];
    case 'map':
      return { x: 'y' };
    case 'gates':
      return { ContainerCheckpoint: false };
    case 'headers':
      return { X: ['y'] };
    case 'objects':
      return [{}];
    case 'path':
      return '/some/path';
    case 'string':
      return other ?? (spec.check?.('x') === undefined ? 'x' : '0-3');
  }
}

/** A value of the wrong kind. */
export const wrongKind = ({ type }: FieldSpec): Json => (type === 'bool' ? 'yes please' : true);
