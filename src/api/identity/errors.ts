import { NodeletError } from '#lib/errors.ts';

/** A certificate, a key or a pair of them that can't be used; the message names the file where there is one. */
export class CertificateError extends NodeletError {
  readonly code = 'CERTIFICATE';
}

/** A kubeconfig that is missing or can't be used; the message names the file, the field and the mend. */
export class KubeconfigError extends NodeletError {
  readonly code = 'KUBECONFIG';
}

/** The folder of certificates can't be read or written. */
export class CertDirError extends NodeletError {
  readonly code = 'CERT_DIR';
}

/** The cluster refused a certificate signing request (condition `Denied`), or its signer failed (`Failed`). */
export class RequestRefusedError extends NodeletError {
  readonly code = 'CSR_REFUSED';
}

/** A signing request was answered with a certificate that isn't the one asked for. */
export class WrongCertificateError extends NodeletError {
  readonly code = 'CSR_WRONG_CERTIFICATE';
}
