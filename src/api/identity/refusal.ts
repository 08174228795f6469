import { isApiUnauthorized } from '#lib/kube/api-error.ts';
import { causes } from '#lib/errors.ts';

/** The server's TLS alerts about the client's certificate, as Node names them (`ERR_SSL_SSL/TLS_ALERT_…`). */
const CLIENT_ALERT =
  /^ERR_SSL_.*ALERT_(CERTIFICATE_\w+|BAD_CERTIFICATE|UNSUPPORTED_CERTIFICATE|UNKNOWN_CA|ACCESS_DENIED)$/;

/** What Node makes of any alert while it still writes, as with TLS 1.2. */
const ANY_ALERT = 'EPROTO';

/** The server's own certificate comes from an authority that the kubeconfig doesn't know: the cluster's may be new. */
const SERVER_UNKNOWN = new Set([
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'CERT_SIGNATURE_FAILURE',
]);

/**
 * Whether a failed call says that the kubeconfig's credentials no longer serve: 401, or TLS on either side. A wrong yes
 * costs a request with the bootstrap credentials, nothing else.
 */
export function isRefusal(error: unknown): boolean {
  for (const each of causes(error)) {
    if (isApiUnauthorized(each)) return true;
    if (!(each instanceof Error) || !('code' in each) || typeof each.code !== 'string') continue;
    const { code } = each;
    if (CLIENT_ALERT.test(code) || code === ANY_ALERT || SERVER_UNKNOWN.has(code)) return true;
  }
  return false;
}
