/** A file, folder or link of an archive. Owners are numbers; the time of change is always 1970, so that equal content makes equal archives. */
export interface TarEntry {
  /** Relative, without a leading or trailing slash. */
  path: string;
  kind: 'file' | 'directory' | 'symlink';
  mode?: number;
  uid?: number;
  gid?: number;
  data?: Uint8Array;
  /** Of a symlink: where it points. */
  target?: string;
}

const block = 512;
const kinds = { file: '0', symlink: '2', directory: '5' } as const;

function header(entry: TarEntry, size: number): Buffer {
  const out = Buffer.alloc(block);
  const path = entry.kind === 'directory' ? `${entry.path}/` : entry.path;
  const put = (text: string, offset: number, length: number): void => {
    if (Buffer.byteLength(text) > length) throw new RangeError(`too long for a tar header: ${text}`);
    out.write(text, offset);
  };
  const octal = (value: number, offset: number, length: number): void =>
    put(`${value.toString(8).padStart(length - 1, '0')}\0`, offset, length);
  put(path, 0, 100);
  octal(entry.mode ?? (entry.kind === 'file' ? 0o644 : 0o755), 100, 8);
  octal(entry.uid ?? 0, 108, 8);
  octal(entry.gid ?? 0, 116, 8);
  octal(size, 124, 12);
  octal(0, 136, 12);
  put(kinds[entry.kind], 156, 1);
  put(entry.target ?? '', 157, 100);
  put('ustar\u000000', 257, 8);
  // The checksum counts its own field as spaces.
  out.fill(' ', 148, 156);
  let sum = 0;
  for (const byte of out) sum += byte;
  put(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 8);
  return out;
}

/** The entries as a POSIX (ustar) archive, in the order given. */
export function tar(entries: readonly TarEntry[]): Buffer {
  const parts: Uint8Array[] = [];
  for (const entry of entries) {
    const data = entry.kind === 'file' ? (entry.data ?? new Uint8Array()) : new Uint8Array();
    parts.push(header(entry, data.length), data, Buffer.alloc((block - (data.length % block)) % block));
  }
  parts.push(Buffer.alloc(2 * block));
  return Buffer.concat(parts);
}
