import type { FlagSpec, FlagState, FlagType } from './flag.ts';

export type Extra = Partial<Pick<FlagSpec, 'short' | 'oneOf' | 'min' | 'max'>>;

/** One line of a flag table: name, type, default as text, help, and what else there is to say. */
export type Row = readonly [name: string, type: FlagType, initial: string, help: string, extra?: Extra];

export const flagTable = (state: FlagState, rows: readonly Row[]): readonly FlagSpec[] =>
  rows.map(([name, type, initial, help, extra]) => ({ name, type, default: initial, help, state, ...extra }));
