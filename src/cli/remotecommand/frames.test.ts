import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { spdyDictionary } from './dictionary.ts';
import { FrameReader, SpdyError, dataHeader, pingFrame, synStreamFrame } from './frames.ts';
import { plainHeaderBlock } from './header-block.ts';
import { deflateSync } from 'node:zlib';

/** Everything that a reader tells, adjacent pieces of data joined. */
function readAll(chunks: Buffer[]): string[] {
  const told: string[] = [];
  const reader = new FrameReader({
    data: (id, chunk) => told.push(`data ${id} ${chunk.toString('hex')}`),
    fin: (id) => told.push(`fin ${id}`),
    control: (type, flags, payload) => told.push(`control ${type} ${flags} ${payload.toString('hex')}`),
  });
  for (const chunk of chunks) reader.push(chunk);
  return told.reduce<string[]>((all, line) => {
    const before = all.at(-1);
    const [kind, id, hex] = line.split(' ');
    if (kind === 'data' && before?.startsWith(`data ${id} `)) return [...all.slice(0, -1), before + hex];
    return [...all, line];
  }, []);
}

test('the dictionary is the protocol’s', () => {
  // Bytes 2 to 5 of a zlib stream with a preset dictionary are the dictionary's Adler-32.
  const stream = deflateSync('x', { dictionary: spdyDictionary() });
  expect(stream.subarray(2, 6).toString('hex')).toBe('e3c6a7c2');
});

test('a header block', () => {
  expect(plainHeaderBlock({ StreamType: 'stdin' }).toString('latin1')).toBe(
    '\0\0\0\x01\0\0\0\x0astreamtype\0\0\0\x05stdin',
  );
});

describe('FrameReader', () => {
  const stream = Buffer.concat([
    pingFrame(2),
    dataHeader(3, 5, false),
    Buffer.from('hello'),
    dataHeader(3, 0, true),
    synStreamFrame(5, Buffer.from('block')),
    dataHeader(7, 2, true),
    Buffer.from('!!'),
  ]);
  const expected = [
    'control 6 0 00000002',
    'data 3 68656c6c6f',
    'fin 3',
    'control 1 0 00000005000000000000626c6f636b',
    'data 7 2121',
    'fin 7',
  ];

  test('whole', () => expect(readAll([stream])).toEqual(expected));

  test('however it is cut', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(stream.length), { maxLength: 20 }), (cuts) => {
        const at = [0, ...cuts.sort((a, b) => a - b), stream.length];
        const chunks = at.slice(1).map((end, index) => stream.subarray(at[index], end));
        expect(readAll(chunks)).toEqual(expected);
      }),
    );
  });

  test.each([
    ['a control frame that announces 16 MB', '80030002 00ffffff'],
    ['another version', '80020001 00000000'],
    ['text', Buffer.from('HTTP/1.1').toString('hex').replace(/^/, '')],
  ])('%s', (what, hex) => {
    const bytes = Buffer.from(hex.replaceAll(' ', ''), 'hex');
    // Text looks like a data frame of a stream that nobody has: no error, nothing kept.
    if (what === 'text') expect(readAll([bytes])).toEqual([]);
    else expect(() => readAll([bytes])).toThrow(SpdyError);
  });

  test('random bytes give frames or a SpdyError, nothing else', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 64 })), (chunks) => {
        try {
          readAll(chunks.map((chunk) => Buffer.from(chunk)));
        } catch (error) {
          expect(error).toBeInstanceOf(SpdyError);
        }
      }),
    );
  });
});
