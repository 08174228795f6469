/** The lines of the documentation's tables. */
import { defaultText } from './flags/from-fields.ts';
import type { FlagSpec, FlagState } from './flags/flag.ts';
import type { FieldSpec, Json } from './schema/field.ts';

const code = (text: string): string => (text === '' ? '' : `\`${text}\` `);

/** A cell of a table: a bar would end it. */
const cell = (text: string): string => text.replaceAll('|', '\\|');

/** `| flag | type | default | help |` of each flag in this state. */
export const flagRows = (flags: readonly FlagSpec[], state: FlagState): string[] =>
  flags
    .filter((flag) => flag.state === state && flag.name !== 'help')
    .map(
      ({ name, type, default: initial, help }) =>
        `| \`--${name}\` | ${type} | ${code(initial)}| ${cell(help)} |`,
    );

export const flagNames = (flags: readonly FlagSpec[], state: FlagState): string =>
  flags
    .filter((flag) => flag.state === state)
    .map(({ name }) => `\`--${name}\``)
    .join(', ');

function textOf(initial: Json | undefined): string {
  return typeof initial === 'string' && initial === '' ? '' : defaultText(initial);
}

/** `| field | type | default | state | help |` of each field, and of the fields of its items. */
export const fieldRows = (fields: readonly FieldSpec[], prefix = ''): string[] =>
  fields.flatMap(({ path, type, default: initial, state, help, fields: items }) => [
    `| \`${prefix}${path}\` | ${type} | ${code(textOf(initial))}| ${state} | ${cell(help)} |`,
    ...(items === undefined ? [] : fieldRows(items, `${prefix}${path}[].`)),
  ]);
