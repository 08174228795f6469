import { writeDurable } from '#host/durable-files.ts';
import { readText } from '#host/files.ts';
import type { Logger } from '#lib/logger.ts';
import type { Clock } from '#lib/clock.ts';
import { isIP } from 'node:net';
import { join } from 'node:path';
import { ensureFolder, inCertDir } from './cert-dir.ts';
import { generateKey, parseKey, parseLeaf } from './key-pair.ts';
import type { Leaf } from './key-pair.ts';
import { FileServing } from './serving-files.ts';
import type { ServingFiles } from './serving-files.ts';
import type { ServingCertificate } from './serving.ts';
import type { X509Maker } from './x509.ts';

export interface SelfSignedOptions {
  /** `--cert-dir`; absolute. */
  certDir: string;
  hostName: string;
  /** Further addresses of the node. */
  ips: readonly string[];
}

export interface SelfSignedParts {
  x509: X509Maker;
  clock: Clock;
  log: Logger;
}

const HOUR_MS = 3_600_000;
const YEAR_MS = 365 * 24 * HOUR_MS;

/**
 * `kubelet.crt` and `kubelet.key`, as upstream: used as they are if they are there, made for a year if not, and made
 * anew before they end if they were made so (by nodelet or a kubelet).
 */
export function selfSignedServing(options: SelfSignedOptions, parts: SelfSignedParts): ServingCertificate {
  const files = {
    certFile: join(options.certDir, 'kubelet.crt'),
    keyFile: join(options.certDir, 'kubelet.key'),
  };
  return new FileServing(files, { ...parts, prepare: (signal) => ensure(files, options, parts, signal) });
}

async function ensure(
  files: ServingFiles,
  options: SelfSignedOptions,
  parts: SelfSignedParts,
  signal: AbortSignal,
): Promise<void> {
  const { certDir } = options;
  const [cert, kept] = await inCertDir(certDir, 'read the serving certificate', () =>
    Promise.all([readText(files.certFile), readText(files.keyFile)]),
  );
  const now = parts.clock.now();
  if (cert !== undefined && kept !== undefined && !isSpent(cert, files.certFile, now, parts.log)) return;
  // The key stays: whenever this is cut off, the two files fit or the certificate is made anew.
  const key = kept ?? generateKey();
  parseKey(key, files.keyFile);
  const isAddress = isIP(options.hostName) !== 0;
  const subject = {
    commonName: `${options.hostName}@${Math.floor(now / 1000)}`,
    organizations: [],
    dnsNames: isAddress ? [] : [options.hostName],
    ips: [...new Set(isAddress ? [options.hostName, ...options.ips] : options.ips)],
  };
  // An hour earlier, for clients whose clocks are behind.
  const valid = { notBefore: now - HOUR_MS, notAfter: now - HOUR_MS + YEAR_MS };
  const made = await parts.x509.selfSigned(key, subject, valid, signal);
  await inCertDir(certDir, 'write the serving certificate', async () => {
    await ensureFolder(certDir);
    if (kept === undefined) await writeDurable(files.keyFile, key, 0o600);
    await writeDurable(files.certFile, made, 0o644);
  });
}

/** Whether it is broken, or was made so (`HOST@SECONDS`) and doesn't fit the time or has little left. */
function isSpent(cert: string, path: string, now: number, log: Logger): boolean {
  let leaf: Leaf;
  try {
    leaf = parseLeaf(cert, path);
  } catch (error) {
    log.warn({ file: path, err: error }, 'broken serving certificate; making another');
    return true;
  }
  if (!/@\d+$/.test(leaf.commonName)) return false;
  return now < leaf.notBefore || now > leaf.notBefore + (leaf.notAfter - leaf.notBefore) * 0.9;
}
