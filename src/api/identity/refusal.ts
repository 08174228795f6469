import { isApiUnauthorized } from '#lib/kube/api-error.ts';
import { causes } from '#lib/errors.ts';

/** The server's TLS alerts about the client's certificate, as OpenSSL names them. */
const CLIENT_ALERT =
  /^ERR_SSL_\w*ALERT_(CERTIFICATE_\w+|BAD_CERTIFICATE|UNSUPPORTED_CERTIFICATE|UNKNOWN_CA|ACCESS_DENIED)$/;

/** The server's own certificate comes from an authority that the kubeconfig doesn't know: the cluster's may be new. */
const SERVER_UNKNOWN = new Set([
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'CERT_SIGNATURE_FAILURE',
]);

/** Whether a failed call says that the kubeconfig's credentials no longer serve: 401, or TLS on either side. */
export function isRefusal(error: unknown): boolean {
  for (const each of causes(error)) {
    if (isApiUnauthorized(each)) return true;
    if (!(each instanceof Error) || !('code' in each) || typeof each.code !== 'string') continue;
    if (CLIENT_ALERT.test(each.code) || SERVER_UNKNOWN.has(each.code)) return true;
  }
  return false;
}
