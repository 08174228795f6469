import type { Authority } from '../pki.ts';
import { Api } from './api.ts';
import { Authenticator } from './auth/authenticate.ts';
import { TokenIssuer } from './auth/jwt.ts';
import { Faults } from './faults/faults.ts';
import { Handler } from './http/handler.ts';
import { Lists } from './http/list.ts';
import { Watches } from './http/watch.ts';
import { Recorder } from './recorder.ts';
import { Registry } from './registry.ts';
import { Store } from './store.ts';
import { CsrSigner } from './subresources/signing.ts';
import type { SigningOptions } from './subresources/signing.ts';

export interface FakeOptions {
  /** 127.0.0.1 unless given. */
  address?: string;
  /** A free one unless given. */
  port?: number;
  /** Whether nodes are held to what the node authorizer and NodeRestriction let them; true unless given. */
  restrictNodes?: boolean;
  /** Whether pods get the usual token volume; false unless given. */
  injectServiceAccountToken?: boolean;
  /** Between two bookmarks of a watch, in milliseconds; a minute unless given, as upstream. */
  bookmarkMs?: number;
  /** How long a `continue` token is good, in milliseconds; five minutes unless given. */
  continueLifeMs?: number;
  /** Clients' requests are approved and signed unless given. */
  csr?: Partial<SigningOptions>;
}

export interface FakeParts {
  store: Store;
  registry: Registry;
  recorder: Recorder;
  authenticator: Authenticator;
  signer: CsrSigner;
  faults: Faults;
  watches: Watches;
  lists: Lists;
  api: Api;
  handler: Handler;
  /** What the server's clock is wrong by. */
  clock: { skewMs: number };
}

/** Everything of the fake but its sockets. */
export function buildParts(options: FakeOptions, authority: Authority): FakeParts {
  const clock = { skewMs: 0 };
  const now = (): number => Date.now() + clock.skewMs;
  const store = new Store();
  const { injectServiceAccountToken = false, restrictNodes = true } = options;
  const registry = new Registry(store, { injectServiceAccountToken, now });
  const recorder = new Recorder();
  const issuer = new TokenIssuer();
  const authenticator = new Authenticator({ store, issuer, now });
  const signer = new CsrSigner(store, authority, { approve: 'clients', sign: true, ...options.csr }, now);
  const faults = new Faults();
  const watches = new Watches(store, options.bookmarkMs ?? 60_000);
  const lists = new Lists(store, options.continueLifeMs ?? 300_000);
  const api = new Api(
    { registry, recorder, authenticator, issuer, now, ca: authority.certificate },
    { restrictNodes, tokenLifeSeconds: undefined, accessRule: () => false },
  );
  const handler = new Handler({ api, store, lists, watches, authenticator, faults, recorder });
  return { store, registry, recorder, authenticator, signer, faults, watches, lists, api, handler, clock };
}
