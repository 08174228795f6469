import type { PulledRecord, RecordedCredentials, RecordedSecret, RecordedServiceAccount } from './format.ts';

const key = ({ namespace, name, uid }: RecordedServiceAccount): string => `${namespace}\0${name}\0${uid}`;

/** Both lists, one entry for each identity (the added one wins), sorted by namespace, name and UID. */
function union<T extends RecordedServiceAccount>(old: readonly T[], added: readonly T[]): T[] {
  const all = new Map([...old, ...added].map((each) => [key(each), each]));
  return [...all].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, each]) => each);
}

const sameSecret = (a: RecordedSecret, b: RecordedSecret): boolean =>
  key(a) === key(b) && a.credentialHash === b.credentialHash;

const isEmpty = (credentials: RecordedCredentials): boolean =>
  credentials.nodePodsAccessible !== true &&
  (credentials.kubernetesSecrets ?? []).length === 0 &&
  (credentials.kubernetesServiceAccounts ?? []).length === 0;

/** What has been shown, and what has now been shown besides; undefined where that adds nothing. */
function mergeCredentials(
  old: RecordedCredentials | undefined,
  added: RecordedCredentials,
): RecordedCredentials | undefined {
  if (isEmpty(added) || old?.nodePodsAccessible === true) return undefined;
  if (old === undefined) return added;
  if (added.nodePodsAccessible === true) return { nodePodsAccessible: true };
  const secrets = old.kubernetesSecrets ?? [];
  const accounts = old.kubernetesServiceAccounts ?? [];
  const newSecrets = (added.kubernetesSecrets ?? []).filter(
    (each) => !secrets.some((known) => sameSecret(known, each)),
  );
  const newAccounts = (added.kubernetesServiceAccounts ?? []).filter(
    (each) => !accounts.some((known) => key(known) === key(each)),
  );
  if (newSecrets.length === 0 && newAccounts.length === 0) return undefined;
  return {
    kubernetesSecrets: union(secrets, newSecrets),
    kubernetesServiceAccounts: union(accounts, newAccounts),
  };
}

/**
 * The record after `image` (its bare name) was found to be accessible with `credentials`; undefined where nothing
 * changes. Without credentials (nobody knows how the image came) the record only says that it was pulled, so that
 * everyone has to show theirs.
 */
export function mergeRecord(
  record: PulledRecord | undefined,
  imageId: string,
  image: string,
  credentials: RecordedCredentials | undefined,
  time: string,
): PulledRecord | undefined {
  const mapping = record?.credentialMapping ?? {};
  const known = Object.hasOwn(mapping, image) ? mapping[image] : undefined;
  const merged = credentials && mergeCredentials(known, credentials);
  if (record !== undefined && merged === undefined) return undefined;
  return {
    lastUpdatedTime: time,
    imageRef: imageId,
    credentialMapping: { ...mapping, ...(merged && { [image]: merged }) },
  };
}
