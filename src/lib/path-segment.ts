import { NodeletError } from './errors.ts';

export class PathSegmentError extends NodeletError {
  readonly code = 'PATH_SEGMENT';
}

/** A path's separators, and characters that no terminal or tool shows as they are. */
function isUnsafe(character: string): boolean {
  return character === '/' || character === '\\' || character < ' ' || character === '\u007f';
}

/**
 * The one gate between strings from outside and the file system: returns `text` if it is a plain name for one
 * path segment, and throws PathSegmentError otherwise.
 */
export function safeSegment(text: string, what: string): string {
  const plain = text !== '' && text !== '.' && text !== '..' && text.length <= 255;
  if (!plain || text.split('').some(isUnsafe)) {
    throw new PathSegmentError(`${what} ${JSON.stringify(text.slice(0, 80))} can't be a file name`);
  }
  return text;
}
