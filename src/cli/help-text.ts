import type { FlagSpec } from '#config/flags/flag.ts';
import { flagsHelp } from '#config/flags/help.ts';

/** The text of `COMMAND --help`. */
export function helpText(
  usage: string,
  summary: string,
  examples: readonly string[],
  specs: readonly FlagSpec[],
): string {
  const shown = examples.map((example) => `  ${example}`).join('\n');
  return `${summary}\n\nUsage:\n  ${usage}\n\nExamples:\n${shown}\n\nFlags:\n${flagsHelp(specs)}\n`;
}
