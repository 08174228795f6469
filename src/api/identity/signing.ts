import { isApiAlreadyExists, isApiNotFound } from '#lib/kube/api-error.ts';
import { resources } from '#lib/kube/client.ts';
import type { KubeClient } from '#lib/kube/client.ts';
import { sleep } from '#lib/clock.ts';
import type { Clock } from '#lib/clock.ts';
import { describeError, isRetryable } from '#lib/errors.ts';
import type { Wire } from '#lib/kube/types.ts';
import type { V1CertificateSigningRequest } from '@kubernetes/client-node';
import { RequestRefusedError } from './errors.ts';
import { parseKey, publicKeyDer } from './key-pair.ts';
import { requestName } from './request-name.ts';
import { pollDelays } from './retry-delays.ts';
import type { Random } from './retry-delays.ts';
import type { X509Maker } from './x509.ts';
import type { CertificateSubject } from './x509-work.ts';

export type SigningRequest = Wire<V1CertificateSigningRequest>;

/** The part of the API client that asks for certificates. */
export type SigningClient = Pick<KubeClient, 'create' | 'get'>;

/** What is asked for. */
export interface CertificateOrder {
  signerName: 'kubernetes.io/kube-apiserver-client-kubelet' | 'kubernetes.io/kubelet-serving';
  usage: 'client auth' | 'server auth';
  /** Of the request's name. */
  namePrefix: string;
  subject: CertificateSubject;
}

export interface SigningParts {
  client: SigningClient;
  x509: X509Maker;
  clock: Clock;
  random: Random;
  /** Told, in words for people, what the request waits for. */
  progress: (what: string) => void;
}

export interface Signed {
  /** PEM, not looked at yet. */
  certificate: string;
  /** False: an earlier attempt had made the request, and the certificate may be old. */
  isNewRequest: boolean;
}

/** How long the server may be out of reach while a request waits, before the caller makes a new connection. */
const OUT_OF_REACH_MS = 120_000;

/**
 * Asks the cluster to sign `key` (a private key in PEM, which stays here) and waits as long as it takes. A request of
 * the same name that is there already is taken up; one that vanishes is made again. Rejects with RequestRefusedError,
 * with an ApiError where the server refuses the call or stays out of reach, or with the signal's reason.
 */
export async function signed(
  key: string,
  order: CertificateOrder,
  parts: SigningParts,
  signal: AbortSignal,
): Promise<Signed> {
  const request = await requestObject(key, order, parts, signal);
  const { name } = request.metadata;
  let isNewRequest = false;
  for (;;) {
    isNewRequest = (await submit(request, parts.client, signal)) || isNewRequest;
    const certificate = await decided(name, parts, signal);
    if (certificate !== undefined) return { certificate, isNewRequest };
    parts.progress(`certificate signing request ${name} was deleted before it was signed; making it again`);
    await sleep(parts.clock, 1000, signal);
  }
}

async function requestObject(
  key: string,
  order: CertificateOrder,
  parts: SigningParts,
  signal: AbortSignal,
): Promise<SigningRequest & { metadata: { name: string } }> {
  const parsed = parseKey(key, 'key of the signing request');
  const usages = ['digital signature', order.usage];
  if (parsed.asymmetricKeyType === 'rsa') usages.push('key encipherment');
  const pem = await parts.x509.request(key, order.subject, signal);
  return {
    apiVersion: 'certificates.k8s.io/v1',
    kind: 'CertificateSigningRequest',
    metadata: { name: requestName(order.namePrefix, publicKeyDer(parsed), order.subject, usages) },
    spec: { request: Buffer.from(pem).toString('base64'), signerName: order.signerName, usages },
  };
}

/** Whether the request is new; false if it was there already. */
async function submit(request: SigningRequest, client: SigningClient, signal: AbortSignal): Promise<boolean> {
  try {
    await client.create(resources.certificateSigningRequests, {}, request, { signal });
    return true;
  } catch (error) {
    if (isApiAlreadyExists(error)) return false;
    throw error;
  }
}

/** The certificate, or undefined if the request is gone. */
async function decided(name: string, parts: SigningParts, signal: AbortSignal): Promise<string | undefined> {
  const delays = pollDelays(parts.random);
  let lastContact = parts.clock.monotonic();
  for (;;) {
    const request = await look(name, parts, signal, () => parts.clock.monotonic() - lastContact);
    if (request === 'gone') return undefined;
    if (request !== 'unknown') {
      lastContact = parts.clock.monotonic();
      const certificate = certificateOf(request, name);
      if (certificate !== undefined) return certificate;
      parts.progress(waitingFor(request, name));
    }
    await sleep(parts.clock, delays.next().value, signal);
  }
}

/** The request; `unknown` while the server can't be asked. `silentMs`: since when that is so. */
async function look(
  name: string,
  { client, progress }: SigningParts,
  signal: AbortSignal,
  silentMs: () => number,
): Promise<SigningRequest | 'gone' | 'unknown'> {
  try {
    return await client.get<SigningRequest>(resources.certificateSigningRequests, { name }, { signal });
  } catch (error) {
    if (isApiNotFound(error)) return 'gone';
    if (signal.aborted || silentMs() > OUT_OF_REACH_MS || !isRetryable(error)) throw error;
    progress(`certificate signing request ${name} can't be read: ${describeError(error)}`);
    return 'unknown';
  }
}

const hasCondition = (request: SigningRequest, type: string): boolean =>
  (request.status?.conditions ?? []).some((each) => each.type === type);

/** The certificate of a request that is decided; undefined while it isn't. */
function certificateOf(request: SigningRequest, name: string): string | undefined {
  for (const { type, reason, message } of request.status?.conditions ?? []) {
    if (type !== 'Denied' && type !== 'Failed') continue;
    const words = [reason, message].filter((each) => each !== undefined && each !== '').join(': ');
    throw new RequestRefusedError(
      `certificate signing request ${name} ${type === 'Denied' ? 'was denied' : 'could not be signed'}` +
        (words === '' ? '' : ` (${words})`),
      { retryable: true },
    );
  }
  const certificate = request.status?.certificate;
  if (!hasCondition(request, 'Approved') || certificate === undefined || certificate === '') return undefined;
  return Buffer.from(certificate, 'base64').toString();
}

function waitingFor(request: SigningRequest, name: string): string {
  return hasCondition(request, 'Approved')
    ? `certificate signing request ${name} is approved and waits for its signer (kube-controller-manager)`
    : `certificate signing request ${name} waits for approval (kubectl certificate approve ${name})`;
}
