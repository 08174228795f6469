import { fieldTable } from '../schema/field.ts';

/** The fields of a taint, checked by parseTaint's rules afterwards. */
export const taintFields = fieldTable('works', [
  ['key', 'string', undefined, 'Its name.'],
  ['value', 'string', undefined, 'Its value.'],
  [
    'effect',
    'string',
    undefined,
    'What it does.',
    { oneOf: ['NoSchedule', 'PreferNoSchedule', 'NoExecute'] },
  ],
  ['timeAdded', 'string', undefined, 'Not to be given.', { check: () => 'none' }],
]);
