import { fileURLToPath } from 'node:url';
import { run } from '#host/process.ts';
import { CertificateError } from './errors.ts';
import type { CertificateSubject, X509Work } from './x509-work.ts';

/** Makes what only an X.509 library can; keys are private keys in PEM. Rejects with CertificateError. */
export interface X509Maker {
  /** A certificate signing request (PKCS #10) in PEM. */
  request(key: string, subject: CertificateSubject, signal: AbortSignal): Promise<string>;
  /** A self-signed serving certificate in PEM; times are wall time in milliseconds. */
  selfSigned(
    key: string,
    subject: CertificateSubject,
    valid: { notBefore: number; notAfter: number },
    signal: AbortSignal,
  ): Promise<string>;
}

/** Beside this file in a checkout, beside the chunks in the bundle. */
const program = import.meta.url.endsWith('.ts') ? './x509-program.ts' : './x509-program.mjs';

/** Works in a short-lived process; the key goes through a pipe. */
export const x509Process: X509Maker = {
  request: (key, subject, signal) => work({ kind: 'request', key, subject }, signal),
  selfSigned: (key, subject, valid, signal) => work({ kind: 'self-signed', key, subject, ...valid }, signal),
};

async function work(task: X509Work, signal: AbortSignal): Promise<string> {
  const path = fileURLToPath(new URL(program, import.meta.url));
  try {
    const { stdout } = await run(process.execPath, [path], {
      input: JSON.stringify(task),
      signal,
      maxOutput: 1 << 20,
    });
    return stdout;
  } catch (cause) {
    signal.throwIfAborted();
    throw new CertificateError(`cannot make a ${task.kind} of X.509`, { cause });
  }
}
