import { NodeletError } from '#lib/errors.ts';
import { bareImageName } from '#lib/kube/image-name.ts';

/** KubeletConfiguration's imagePullCredentialsVerificationPolicy. */
export type VerificationPolicyName =
  | 'NeverVerify'
  | 'NeverVerifyPreloadedImages'
  | 'NeverVerifyAllowlistedImages'
  | 'AlwaysVerify';

/** Whether a pod must show that it may pull an image that is on the node already. */
export type VerificationPolicy = (image: string, pulledByAgent: boolean) => boolean;

/** A pattern of preloadedImagesVerificationAllowlist that can't be used, and why. */
export class AllowlistError extends NodeletError {
  readonly code = 'ALLOWLIST';
}

interface Pattern {
  text: string;
  /** `text` is a prefix that ends with a slash. */
  prefix: boolean;
}

/** Reads `registry.example.com/team/image` or `registry.example.com/team/*`. Throws AllowlistError. */
export function parseAllowlistPattern(pattern: string): Pattern {
  const refuse = (why: string, cause?: unknown): never => {
    throw new AllowlistError(`image pattern ${JSON.stringify(pattern)}: ${why}`, { cause });
  };
  const prefix = pattern.endsWith('/*');
  const text = prefix ? pattern.slice(0, -1) : pattern;
  if (pattern.trim() !== pattern) refuse('spaces around it are not allowed');
  if (text === '') refuse('is empty');
  if (text.includes('*')) refuse('only patterns that end with "/*" may have a "*"');
  if (text === '/') refuse('names no registry');
  if (prefix) return { text, prefix };
  let bare = '';
  try {
    bare = bareImageName(text);
  } catch (error) {
    refuse('is no image name', error);
  }
  if (bare !== text) refuse('must have neither tag nor digest');
  return { text, prefix };
}

export function verificationPolicy(
  name: VerificationPolicyName,
  allowlist: readonly string[] = [],
): VerificationPolicy {
  switch (name) {
    case 'NeverVerify':
      return () => false;
    case 'AlwaysVerify':
      return () => true;
    case 'NeverVerifyPreloadedImages':
      return (_image, pulledByAgent) => pulledByAgent;
    case 'NeverVerifyAllowlistedImages': {
      const patterns = allowlist.map(parseAllowlistPattern);
      return (image) => {
        const bare = bareImageName(image);
        return !patterns.some(({ text, prefix }) => (prefix ? bare.startsWith(text) : bare === text));
      };
    }
  }
}
