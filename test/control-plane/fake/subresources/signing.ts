/** Approves and signs CertificateSigningRequests as kube-controller-manager's csrapproving and csrsigning do. */
import { testResources } from '../../resources.ts';
import { readRequest } from '../../pki.ts';
import type { Authority, RequestFacts, Subject } from '../../pki.ts';
import { timeText, textOf } from '../object.ts';
import type { JsonMap, KubeObject } from '../object.ts';
import type { Change, Store } from '../store.ts';

export interface SigningOptions {
  /** Which requests are approved without anybody asking: the controller approves clients' only. */
  approve: 'all' | 'clients' | 'none';
  /** Whether approved requests are signed. */
  sign: boolean;
  /** Wins over what was asked for; without either a certificate holds for a day. */
  validitySeconds?: number | undefined;
}

const clients = 'kubernetes.io/kube-apiserver-client-kubelet';
const servers = 'kubernetes.io/kubelet-serving';

const usages: Readonly<Record<string, Subject['usage']>> = {
  [clients]: 'client',
  [servers]: 'server',
  'kubernetes.io/kube-apiserver-client': 'client',
};

const usageTexts: Readonly<Record<string, string>> = {
  [clients]: 'client auth,digital signature',
  [servers]: 'digital signature,server auth',
};

/** Why a request doesn't fit its signer; undefined where it does. */
function misfit(signer: string, asked: readonly string[], facts: RequestFacts): string | undefined {
  const wanted = usageTexts[signer];
  if (wanted === undefined) return undefined;
  if (facts.organizations.join(',') !== 'system:nodes') return 'subject organization is not system:nodes';
  if (!facts.commonName.startsWith('system:node:')) {
    return 'subject common name does not begin with system:node:';
  }
  if (signer === clients && facts.hosts.length > 0) return 'subjectAltNames are not allowed';
  if (signer === servers && facts.hosts.length === 0) return 'DNS or IP subjectAltName is required';
  const given = asked.filter((usage) => usage !== 'key encipherment').sort((a, b) => a.localeCompare(b));
  return given.join(',') === wanted ? undefined : `usages did not match ${wanted}`;
}

const conditionsOf = (csr: KubeObject): JsonMap[] => (csr.status?.['conditions'] ?? []) as JsonMap[];
const has = (csr: KubeObject, type: string): boolean =>
  conditionsOf(csr).some((each) => each['type'] === type);

export class CsrSigner {
  readonly #store: Store;
  readonly #authority: Authority;
  readonly #now: () => number;
  readonly options: SigningOptions;

  constructor(store: Store, authority: Authority, options: SigningOptions, now: () => number) {
    this.#store = store;
    this.#authority = authority;
    this.#now = now;
    this.options = { ...options };
    store.onChange((change) => this.#look(change));
  }

  /** Looks at all requests again: after a change of the options. */
  review(): void {
    for (const csr of this.#store.list(testResources.certificateSigningRequests)) this.#handle(csr);
  }

  #look({ kind, after }: Change): void {
    if (kind.plural === 'certificatesigningrequests' && after !== undefined) {
      // Never within the write that made it, as a controller.
      setImmediate(() => this.#handle(after));
    }
  }

  #handle(seen: KubeObject): void {
    const csr = this.#store.get(testResources.certificateSigningRequests, undefined, seen.metadata.name);
    if (csr === undefined || csr.metadata.uid !== seen.metadata.uid) return;
    if (has(csr, 'Denied') || has(csr, 'Failed') || csr.status?.['certificate']) return;
    if (has(csr, 'Approved')) {
      if (this.options.sign) void this.#sign(csr);
      return;
    }
    const { approve } = this.options;
    if (approve === 'all' || (approve === 'clients' && csr.spec?.['signerName'] === clients)) {
      this.#condition(csr, { type: 'Approved', reason: 'AutoApproved', message: 'approved by the test bed' });
    }
  }

  async #sign(csr: KubeObject): Promise<void> {
    const signer = textOf(csr.spec?.['signerName']);
    const usage = usages[signer];
    if (usage === undefined) return;
    const text = Buffer.from(textOf(csr.spec?.['request']), 'base64').toString();
    const asked = Number(csr.spec?.['expirationSeconds'] ?? 86_400);
    const seconds = this.options.validitySeconds ?? asked;
    const now = this.#now();
    try {
      const why = misfit(signer, (csr.spec?.['usages'] ?? []) as string[], readRequest(text));
      if (why !== undefined) throw new Error(why);
      const certificate = await this.#authority.signRequest(text, usage, {
        notBefore: new Date(now - Math.min(300_000, (seconds * 1000) / 10)),
        notAfter: new Date(now + seconds * 1000),
      });
      const current = this.#store.get(testResources.certificateSigningRequests, undefined, csr.metadata.name);
      if (current === undefined || current.status?.['certificate']) return;
      const encoded = Buffer.from(certificate).toString('base64');
      this.#put({ ...current, status: { ...current.status, certificate: encoded } });
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      this.#condition(csr, { type: 'Failed', reason: 'SignerValidationFailure', message });
    }
  }

  #condition(csr: KubeObject, condition: JsonMap): void {
    const at = timeText(this.#now());
    const added = { ...condition, status: 'True', lastUpdateTime: at, lastTransitionTime: at };
    this.#put({ ...csr, status: { ...csr.status, conditions: [...conditionsOf(csr), added] } });
  }

  #put(csr: KubeObject): void {
    this.#store.put(testResources.certificateSigningRequests, csr);
  }
}
