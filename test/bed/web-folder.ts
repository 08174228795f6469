import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Volume } from '#lib/kube/types.ts';

/** A folder of the node that a pod sees as /www: its files say what probes are to find. */
export interface WebFolder {
  volumes: Volume[];
  mount: { volumeMounts: { name: string; mountPath: string }[] };
  add(file: string): Promise<void>;
  remove(file: string): Promise<void>;
}

export async function webFolder(agentDir: string, name: string): Promise<WebFolder> {
  const path = join(agentDir, 'www', name);
  await mkdir(path, { recursive: true });
  return {
    volumes: [{ name: 'www', hostPath: { path } }],
    mount: { volumeMounts: [{ name: 'www', mountPath: '/www' }] },
    add: (file) => writeFile(join(path, file), 'here'),
    remove: (file) => rm(join(path, file), { force: true }),
  };
}
