/**
 * A program of its own: reads one X509Work as JSON from its input, and writes PEM. The X.509 library costs 11 MB and
 * a node needs it for a second a year; a process gives its memory back, a worker thread doesn't (measured: 17 MB stay).
 */
import { text } from 'node:stream/consumers';
import { doX509Work } from './x509-work.ts';
import type { X509Work } from './x509-work.ts';

process.stdout.write(await doX509Work(JSON.parse(await text(process.stdin)) as X509Work));
