import { access, constants } from 'node:fs/promises';
import { join } from 'node:path';

const programs = ['etcd', 'kube-apiserver', 'kube-controller-manager', 'kube-scheduler', 'kubectl'] as const;

export type Program = (typeof programs)[number];
export type Assets = Readonly<Record<Program, string>>;

/** The programs in the folder that KUBEBUILDER_ASSETS names (envtest's convention), or why they can't be used. */
export async function findAssets(folder = process.env['KUBEBUILDER_ASSETS']): Promise<Assets | string> {
  if (folder === undefined || folder === '') return 'KUBEBUILDER_ASSETS is not set';
  const paths = programs.map((name) => [name, join(folder, name)] as const);
  for (const [name, path] of paths) {
    const usable = await access(path, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (!usable) return `KUBEBUILDER_ASSETS names ${folder}, which has no ${name}`;
  }
  return Object.fromEntries(paths) as Assets;
}
