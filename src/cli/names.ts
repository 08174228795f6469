import { NotFoundError, UsageError } from '#lib/errors.ts';
import type { PodView } from '#server/view.ts';
import type { AgentClient } from './client.ts';

export interface PodRef {
  namespace: string;
  name: string;
}

/** Reads `NAME`, `pod/NAME`, `pods/NAME` or `NS/NAME`. */
export function parsePodRef(word: string, namespace: string): PodRef {
  const parts = word.split('/');
  const [first = '', second = ''] = parts;
  if (parts.length > 2 || first === '' || (parts.length === 2 && second === '')) {
    throw new UsageError(`${JSON.stringify(word)} names no pod; allowed: NAME, NAMESPACE/NAME or pod/NAME`);
  }
  if (parts.length === 1) return { namespace, name: first };
  return ['po', 'pod', 'pods'].includes(first)
    ? { namespace, name: second }
    : { namespace: first, name: second };
}

/** The pod of that name, or the static pod whose manifest has it: `web` for `web-NODE`. */
export function matchPod(views: readonly PodView[], { namespace, name }: PodRef): PodView | undefined {
  const here = views.filter(({ pod }) => pod.metadata?.namespace === namespace);
  const exact = here.find(({ pod }) => pod.metadata?.name === name);
  if (exact !== undefined) return exact;
  const short = here.filter(
    ({ pod }) => pod.metadata?.name === `${name}-${(pod.spec?.nodeName ?? '').toLowerCase()}`,
  );
  return short.length === 1 ? short[0] : undefined;
}

/** As `matchPod`; where there is none, says what there is. */
export async function findPod(client: AgentClient, ref: PodRef): Promise<PodView> {
  const views = await client.pods();
  const found = matchPod(views, ref);
  if (found !== undefined) return found;
  const elsewhere = views.find(({ pod }) => {
    const other = { namespace: pod.metadata?.namespace ?? '', name: ref.name };
    return other.namespace !== ref.namespace && matchPod(views, other) !== undefined;
  });
  const hint =
    elsewhere === undefined ? '' : `; there is one in namespace ${elsewhere.pod.metadata?.namespace ?? ''}`;
  throw new NotFoundError(`pods "${ref.name}" not found in namespace ${ref.namespace}${hint}`);
}

export const refOf = ({ pod }: PodView): PodRef => ({
  namespace: pod.metadata?.namespace ?? '',
  name: pod.metadata?.name ?? '',
});
