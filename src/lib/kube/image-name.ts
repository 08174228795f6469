import { NodeletError } from '#lib/errors.ts';

/** The message is what the reference grammar has against the name, in the words that kubelet's users know. */
export class ImageNameError extends NodeletError {
  readonly code = 'IMAGE_NAME';
}

export interface ImageName {
  /** Host with its port: `docker.io`, `localhost:5000`, `[::1]:5000`. */
  readonly registry: string;
  /** Registry and path, without tag and digest: `docker.io/library/busybox`. */
  readonly repository: string;
  /** `latest` where the name has neither tag nor digest. */
  readonly tag: string | undefined;
  /** `sha256:…` */
  readonly digest: string | undefined;
}

interface Reference {
  registry: string | undefined;
  name: string;
  tag: string | undefined;
  digest: string | undefined;
}

// The grammar of https://pkg.go.dev/github.com/distribution/reference
const LABEL = '(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])';
const HOST = `(?:${LABEL}(?:\\.${LABEL})*|\\[[a-fA-F0-9:]+\\])(?::[0-9]+)?`;
const COMPONENT = '[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*';
const PATH = `${COMPONENT}(?:/${COMPONENT})*`;
const TAG = '[\\w][\\w.-]{0,127}';
const DIGEST = '[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}';
const NAME = new RegExp(`^(?:(${HOST})/)?(${PATH})$`);
const REFERENCE = new RegExp(`^((?:${HOST}/)?${PATH})(?::(${TAG}))?(?:@(${DIGEST}))?$`);
const DIGEST_LENGTHS: ReadonlyMap<string, number> = new Map([
  ['sha256', 64],
  ['sha384', 96],
  ['sha512', 128],
]);

const MAX_PATH = 255;
/** Far above what the grammar's parts add up to; bounds the work spent on a hostile name. */
const MAX_NAME = 4096;
const DEFAULT_REGISTRY = 'docker.io';
const LEGACY_REGISTRY = 'index.docker.io';
const DEFAULT_PATH = 'library/';
const DEFAULT_TAG = 'latest';

function checkDigest(digest: string): void {
  const colon = digest.indexOf(':');
  const hex = digest.slice(colon + 1);
  const length = DIGEST_LENGTHS.get(digest.slice(0, colon));
  if (length === undefined) throw new ImageNameError('unsupported digest algorithm');
  if (hex.length !== length) throw new ImageNameError('invalid checksum digest length');
  if (!/^[a-f0-9]+$/.test(hex)) throw new ImageNameError('invalid checksum digest format');
}

function parseReference(text: string): Reference {
  const match = text.length > MAX_NAME ? null : REFERENCE.exec(text);
  if (match === null) {
    if (text === '') throw new ImageNameError('repository name must have at least one component');
    const wouldFit = text.length <= MAX_NAME && REFERENCE.test(text.toLowerCase());
    throw new ImageNameError(wouldFit ? 'repository name must be lowercase' : 'invalid reference format');
  }
  const [, name = '', tag, digest] = match;
  const parts = NAME.exec(name);
  if ((parts?.[2] ?? name).length > MAX_PATH) {
    throw new ImageNameError(`repository name must not be more than ${MAX_PATH} characters`);
  }
  if (digest !== undefined) checkDigest(digest);
  return { registry: parts?.[1], name, tag, digest };
}

/** Whether what stands before the first slash is a registry and not the first part of a path on Docker Hub. */
const isRegistry = (text: string): boolean =>
  text === 'localhost' || /[.:]/.test(text) || text.toLowerCase() !== text;

function splitRegistry(image: string): [registry: string, rest: string] {
  const slash = image.indexOf('/');
  const first = image.slice(0, Math.max(slash, 0));
  const named = slash >= 0 && isRegistry(first);
  const registry = !named || first === LEGACY_REGISTRY ? DEFAULT_REGISTRY : first;
  const rest = named ? image.slice(slash + 1) : image;
  return [registry, registry === DEFAULT_REGISTRY && !rest.includes('/') ? DEFAULT_PATH + rest : rest];
}

/**
 * An image's name as a pod's specification has it, with Docker Hub's defaults filled in.
 * Throws ImageNameError saying what is wrong.
 */
export function parseImageName(image: string): ImageName {
  if (/^[a-f0-9]{64}$/.test(image)) {
    throw new ImageNameError(
      `invalid repository name (${image}), cannot specify 64-byte hexadecimal strings`,
    );
  }
  const [host, rest] = splitRegistry(image);
  const [path = ''] = rest.split(':', 1);
  if (path.toLowerCase() !== path) {
    throw new ImageNameError(`invalid reference format: repository name (${path}) must be lowercase`);
  }
  const { registry, name, tag, digest } = parseReference(`${host}/${rest}`);
  return {
    registry: registry ?? host,
    repository: name,
    tag: tag ?? (digest === undefined ? DEFAULT_TAG : undefined),
    digest,
  };
}

/** The name as written, with `:latest` where it has neither tag nor digest: what the runtime is asked for. */
export function withDefaultTag(image: string): string {
  const { tag, digest } = parseImageName(image);
  const add = digest === undefined && tag !== undefined && !image.endsWith(`:${tag}`);
  return add ? `${image}:${tag}` : image;
}

/** One spelling for all names of the same thing: `docker.io/library/busybox:latest`; beside a digest no tag counts. */
export function canonicalImageName(image: string): string {
  const { repository, tag, digest } = parseImageName(image);
  return digest === undefined ? `${repository}:${tag}` : `${repository}@${digest}`;
}

/** The name as written, without tag and digest: the key of kubelet's records of pulled images. */
export function bareImageName(image: string): string {
  return parseReference(image).name;
}
