import type { TLSSocket } from 'node:tls';
import { testResources } from '../../resources.ts';
import type { Store } from '../store.ts';
import { anonymous } from '../user.ts';
import type { User } from '../user.ts';
import type { TokenIssuer } from './jwt.ts';

export interface AuthenticatorOptions {
  store: Store;
  issuer: TokenIssuer;
  /** The server's own clock. */
  now: () => number;
}

const all = 'system:authenticated';

interface BoundClaims {
  namespace: string;
  serviceaccount: { name: string; uid: string };
  pod?: { name: string; uid: string };
}

/** Who a request comes from; undefined where it shows credentials that aren't good (401). */
export class Authenticator {
  readonly #options: AuthenticatorOptions;
  /** Whether bootstrap tokens are refused. */
  refusesBootstrap = false;
  /** Further bearer tokens. */
  readonly tokens = new Map<string, User>();

  constructor(options: AuthenticatorOptions) {
    this.#options = options;
  }

  authenticate(socket: TLSSocket, authorization: string | undefined): User | undefined {
    const token = /^Bearer\s+(\S+)$/i.exec(authorization ?? '')?.[1];
    if (token !== undefined) return this.userOfToken(token);
    const certificate = socket.getPeerCertificate();
    if (Object.keys(certificate).length === 0) return anonymous;
    return this.#userOfCertificate(socket, certificate);
  }

  /** Undefined for a token that is nobody's, or no longer. */
  userOfToken(token: string): User | undefined {
    return this.tokens.get(token) ?? this.#bootstrapUser(token) ?? this.#serviceAccount(token);
  }

  #userOfCertificate(
    socket: TLSSocket,
    certificate: ReturnType<TLSSocket['getPeerCertificate']>,
  ): User | undefined {
    // OpenSSL looks at the machine's clock; the server's own may differ.
    const trouble = socket.authorizationError as unknown;
    const aboutTime = trouble === 'CERT_HAS_EXPIRED' || trouble === 'CERT_NOT_YET_VALID';
    if (!socket.authorized && !aboutTime) return undefined;
    const now = this.#options.now();
    if (now < Date.parse(certificate.valid_from) || now > Date.parse(certificate.valid_to)) return undefined;
    const { CN, O } = certificate.subject as { CN?: string | string[]; O?: string | string[] };
    const name = [CN ?? []].flat()[0];
    if (name === undefined) return undefined;
    return { name, groups: [...[O ?? []].flat(), all] };
  }

  #bootstrapUser(token: string): User | undefined {
    const [, id, secret] = /^([a-z0-9]{6})\.([a-z0-9]{16})$/.exec(token) ?? [];
    if (id === undefined || this.refusesBootstrap) return undefined;
    const found = this.#options.store.get(testResources.secrets, 'kube-system', `bootstrap-token-${id}`);
    const data = (found?.['data'] ?? {}) as Record<string, string>;
    const field = (name: string): string => Buffer.from(data[name] ?? '', 'base64').toString();
    if (field('token-secret') !== secret || field('usage-bootstrap-authentication') !== 'true')
      return undefined;
    const ends = field('expiration');
    if (ends !== '' && Date.parse(ends) <= this.#options.now()) return undefined;
    const groups = field('auth-extra-groups')
      .split(',')
      .filter((group) => group !== '');
    return { name: `system:bootstrap:${id}`, groups: ['system:bootstrappers', ...groups, all] };
  }

  #serviceAccount(token: string): User | undefined {
    const { issuer, store, now } = this.#options;
    const claims = issuer.read(token);
    const seconds = now() / 1000;
    if (claims === undefined || Number(claims['exp']) <= seconds || Number(claims['nbf']) > seconds) {
      return undefined;
    }
    const { namespace, serviceaccount, pod } = claims['kubernetes.io'] as unknown as BoundClaims;
    const account = store.get(testResources.serviceAccounts, namespace, serviceaccount.name);
    if (account?.metadata.uid !== serviceaccount.uid) return undefined;
    if (pod !== undefined) {
      const known = store.get(testResources.pods, namespace, pod.name);
      if (known?.metadata.uid !== pod.uid) return undefined;
    }
    return {
      name: `system:serviceaccount:${namespace}:${serviceaccount.name}`,
      uid: serviceaccount.uid,
      groups: ['system:serviceaccounts', `system:serviceaccounts:${namespace}`, all],
      ...(pod === undefined
        ? {}
        : {
            extra: {
              'authentication.kubernetes.io/pod-name': [pod.name],
              'authentication.kubernetes.io/pod-uid': [pod.uid],
            },
          }),
    };
  }
}
