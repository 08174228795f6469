import { NotBuiltError } from '#config/daemon-flags.ts';
import type { Command } from '../context.ts';

/** A command that the contract names and this version doesn't have. */
export const notBuilt = (name: string, summary: string, instead: string): Command => ({
  help: () => `${summary}.\n\nNot built yet: ${instead}.\n`,
  run: () => Promise.reject(new NotBuiltError(`nodelet ${name} is not built yet: ${instead}`)),
});
