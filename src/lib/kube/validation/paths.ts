/** Rules for paths in manifests; each returns undefined for a good path, otherwise what is wrong with it. */

export function validateNoBacksteps(path: string): string | undefined {
  return path.split('/').includes('..') ? "must not contain '..'" : undefined;
}

/** A path below some folder. */
export function validateDescending(path: string): string | undefined {
  return path.startsWith('/') ? 'must be a relative path' : validateNoBacksteps(path);
}

/** A path below a volume's root whose first names the agent keeps to itself when they begin with two dots. */
export function validateNonReserved(path: string): string | undefined {
  return validateDescending(path) ?? (path.startsWith('..') ? "must not begin with '..'" : undefined);
}

/** NUL ends a path for the kernel, so that what is checked would not be what is opened. */
export function validateNoNul(path: string): string | undefined {
  return path.includes('\0') ? 'must not contain the character NUL' : undefined;
}
