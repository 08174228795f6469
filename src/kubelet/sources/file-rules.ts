/** Which files of a folder are manifests, and what one may hold. */
export interface FileRule {
  accepts(name: string): boolean;
  /** One Pod a file; without it any number of documents. */
  onePod: boolean;
  /** Whether its ConfigMaps and Secrets are there for its pods; kubelet knows none of manifests. */
  servesObjects: boolean;
}

/** What editors leave beside a file while they write it: backups, swap files, and vim's probe `4913`. */
const isLeftover = (name: string): boolean =>
  name.endsWith('~') || /\.sw[a-z]$/.test(name) || /^#.*#$/.test(name) || name === '4913';

/** nodelet's own rule, for standalone mode. */
export const standaloneRule: FileRule = {
  accepts: (name) => /^[^.].*\.(yaml|yml|json)$/.test(name) && !isLeftover(name),
  onePod: false,
  servesObjects: true,
};

/** Upstream's rule for `--pod-manifest-path`: every file whose name doesn't begin with a dot, whatever its ending. */
export const kubeletRule: FileRule = {
  accepts: (name) => !name.startsWith('.') && !isLeftover(name),
  onePod: true,
  servesObjects: false,
};
