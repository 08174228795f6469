import type { Json } from '../schema/field.ts';
import type { Settings } from '../schema/settings.ts';
import { kubeletConfigurationKind } from './fields.ts';

/** The whole object as /configz shows it: defaults filled in, secrets masked. */
export const effectiveConfiguration = (settings: Settings): Readonly<Record<string, Json>> => ({
  ...kubeletConfigurationKind,
  ...settings.effective(),
});
