import { ApiError } from '#lib/kube/api-error.ts';
import { expect, test } from 'vitest';
import { isRefusal } from './refusal.ts';

const api = (status: number, code?: string): ApiError =>
  new ApiError(
    { status, reason: '', message: 'x' },
    code === undefined ? {} : { cause: Object.assign(new Error('tls'), { code }) },
  );

test.each([
  [api(401), true],
  [api(403), false],
  [api(0), false],
  [api(503), false],
  [api(0, 'ECONNREFUSED'), false],
  [api(0, 'ERR_SSL_SSL/TLS_ALERT_CERTIFICATE_EXPIRED'), true],
  [api(0, 'EPROTO'), true],
  [api(0, 'ERR_SSL_SSL/TLS_ALERT_BAD_CERTIFICATE'), true],
  [api(0, 'ERR_SSL_TLSV1_ALERT_UNKNOWN_CA'), true],
  [api(0, 'ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED'), true],
  [api(0, 'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION'), false],
  [api(0, 'SELF_SIGNED_CERT_IN_CHAIN'), true],
  // The server's own certificate has ended: nothing of ours would mend that.
  [api(0, 'CERT_HAS_EXPIRED'), false],
  [api(0, 'ERR_TLS_CERT_ALTNAME_INVALID'), false],
  ['text', false],
])('%# %s', (error, expected) => {
  expect(isRefusal(error)).toBe(expected);
});
