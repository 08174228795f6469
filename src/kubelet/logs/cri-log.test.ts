import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CriLogParser, fixedWidthTimestamp, parseTimestamp } from './cri-log.ts';

interface Line {
  time: number;
  timestamp: string;
  stream: string;
  message: Buffer;
}

/** Feeds the log in chunks of the given sizes and joins the pieces of each line. */
function parse(log: Buffer, sizes: readonly number[] = []): { lines: Line[]; malformed: number } {
  const parser = new CriLogParser();
  const lines: Line[] = [];
  // One buffer for all chunks, as a reader has: pieces must not outlive their chunk.
  const shared = Buffer.alloc(log.length);
  for (let at = 0, turn = 0; at < log.length; turn++) {
    const size = Math.max(1, sizes[turn % sizes.length] ?? log.length);
    shared.fill(0xee);
    const count = log.copy(shared, 0, at, at + size);
    at += count;
    for (const piece of parser.push(shared.subarray(0, count))) {
      if (piece.opens) {
        const { time, stream } = piece;
        lines.push({ time, stream, timestamp: piece.timestamp.toString(), message: Buffer.from(piece.data) });
      } else {
        const line = lines.at(-1)!;
        line.message = Buffer.concat([line.message, piece.data]);
      }
    }
  }
  return { lines, malformed: parser.malformed };
}

/** The format in one expression, on text: what the parser must agree with. */
function model(log: Buffer): { lines: Line[]; malformed: number } {
  const lines: Line[] = [];
  let malformed = 0;
  const rows = log.toString('latin1').match(/[^\n]*\n|[^\n]+$/g) ?? [];
  for (const row of rows) {
    const match =
      /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)) (stdout|stderr) ([^ \n]*) ([^]*)$/.exec(
        row,
      );
    const [, timestamp = '', stream = '', tags = '', message = ''] = match ?? [];
    const time = Math.floor(Date.parse(timestamp));
    if (match === null || Number.isNaN(time)) malformed += row.endsWith('\n') ? 1 : 0;
    else {
      const partial = tags.split(':')[0] === 'P';
      const data = partial ? message.replace(/\n$/, '') : message;
      lines.push({ time, timestamp, stream, message: Buffer.from(data, 'latin1') });
    }
  }
  return { lines, malformed };
}

const stamp = fc.constantFrom(
  '2026-01-02T03:04:05.123456789Z',
  '2026-01-02T03:04:05.1Z',
  '2026-01-02T03:04:05Z',
  '2024-02-29T23:59:59.999999999+05:30',
  '1999-12-31T00:00:00.000000001-08:00',
);
const message = fc
  .uint8Array({ maxLength: 60 })
  .map((bytes) => Buffer.from(bytes.map((byte) => (byte === 10 ? 32 : byte))));
const good = fc
  .tuple(
    stamp,
    fc.constantFrom('stdout', 'stderr'),
    fc.constantFrom('F', 'P', 'P:x', 'F:P', 'PP', ''),
    message,
  )
  .map(([time, stream, tags, body]) =>
    Buffer.concat([Buffer.from(`${time} ${stream} ${tags} `), body, Buffer.from('\n')]),
  );
const bad = fc
  .constantFrom(
    '\n',
    ' \n',
    'rubbish\n',
    '2026-01-02T03:04:05Z\n',
    '2026-01-02T03:04:05Z stdout\n',
    '2026-01-02T03:04:05Z stdout F\n',
    '2026-01-02T03:04:05Z stdlog F x\n',
    '2026-13-02T03:04:05Z stdout F x\n',
    '2026-01-02 03:04:05Z stdout F x\n',
    `${'x'.repeat(2000)} stdout F y\n`,
  )
  .map((text) => Buffer.from(text));

describe('CriLogParser', () => {
  it('agrees with the model on any mix of lines, however they are cut', () => {
    const log = fc.array(fc.oneof({ weight: 4, arbitrary: good }, { weight: 1, arbitrary: bad }), {
      maxLength: 12,
    });
    const sizes = fc.array(fc.integer({ min: 1, max: 90 }), { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(log, sizes, (parts, cuts) => {
        const bytes = Buffer.concat(parts);
        const { lines, malformed } = model(bytes);
        expect(parse(bytes, cuts)).toEqual({ lines, malformed });
        expect(parse(bytes)).toEqual({ lines, malformed });
      }),
      { numRuns: 500 },
    );
  });

  it('hands a very long line on in pieces without holding it', () => {
    const parser = new CriLogParser();
    parser.push(Buffer.from('2026-01-02T03:04:05Z stdout F '));
    const chunk = Buffer.alloc(1 << 20, 'x');
    let bytes = 0;
    for (let turn = 0; turn < 50; turn++) {
      const pieces = parser.push(chunk);
      expect(pieces).toHaveLength(1);
      bytes += pieces[0]!.data.length;
    }
    const [last] = parser.push(Buffer.from('end\n'));
    expect(bytes).toBe(50 << 20);
    expect(last).toMatchObject({ opens: false, closes: true, data: Buffer.from('end\n') });
    expect(parser.midLine).toBe(false);
  });

  it('shows the beginning of a line that has no end yet', () => {
    const parser = new CriLogParser();
    const [piece] = parser.push(Buffer.from('2026-01-02T03:04:05Z stderr F half'));
    expect(piece).toMatchObject({ stream: 'stderr', opens: true, closes: false, data: Buffer.from('half') });
    expect(parser.midLine).toBe(true);
  });
});

describe('parseTimestamp', () => {
  it.each([
    ['2026-01-02T03:04:05Z', Date.parse('2026-01-02T03:04:05Z')],
    ['2026-01-02T03:04:05.9999999Z', Date.parse('2026-01-02T03:04:05.999Z')],
    ['2026-01-02T03:04:05.5+02:00', Date.parse('2026-01-02T01:04:05.500Z')],
    ['2026-01-02T03:04:05.5-00:30', Date.parse('2026-01-02T03:34:05.500Z')],
    ['2026-01-02T03:04:05', Number.NaN],
    ['2026-01-02T03:04:05.Z', Number.NaN],
    ['2026-01-02T24:04:05Z', Number.NaN],
    ['2026-01-02T03:04:05Zx', Number.NaN],
    ['2026-01-02T03:04:05+0200', Number.NaN],
    ['x026-01-02T03:04:05Z', Number.NaN],
  ])('%s', (text, expected) => {
    const buffer = Buffer.from(`##${text} rest`);
    expect(parseTimestamp(buffer, 2, 2 + text.length)).toBe(expected);
  });
});

describe('fixedWidthTimestamp', () => {
  it.each([
    ['2026-01-02T03:04:05.123456789Z', '2026-01-02T03:04:05.123456789Z'],
    ['2026-01-02T03:04:05.12Z', '2026-01-02T03:04:05.120000000Z'],
    ['2026-01-02T03:04:05Z', '2026-01-02T03:04:05.000000000Z'],
    ['2026-01-02T03:04:05.1+02:00', '2026-01-02T03:04:05.100000000+02:00'],
    ['2026-01-02T03:04:05.1+00:00', '2026-01-02T03:04:05.100000000Z'],
  ])('%s', (text, expected) => {
    expect(fixedWidthTimestamp(Buffer.from(text)).toString()).toBe(expected);
  });
});
