/** The addresses that registry logins are filed under, and which images they are for, as in upstream's keyring. */

interface Address {
  /** The host's labels: `*.example.com` → `*`, `example`, `com`. */
  labels: string[];
  port: string;
  /** With its leading slash, or empty. */
  path: string;
}

interface Parsed {
  /** With its port. */
  host: string;
  path: string;
}

/** Host and path of a URL without scheme, as Go's parser splits it; undefined where that refuses it. */
function parseUrl(text: string): Parsed | undefined {
  const [rest = ''] = text.split(/[?#]/, 1);
  const slash = rest.indexOf('/');
  const authority = slash < 0 ? rest : rest.slice(0, slash);
  const host = authority.slice(authority.lastIndexOf('@') + 1);
  const plain = /^(?:\[[0-9a-fA-F:.]*\]|[\w\-.~!$&'()*+,;=<>"\u0080-\uffff]*)(?::[0-9]*)?$/;
  if (!plain.test(host) || text.split('').some((character) => character <= ' ' || character === '\u007f')) {
    return undefined;
  }
  try {
    return { host, path: slash < 0 ? '' : decodeURIComponent(rest.slice(slash)) };
  } catch {
    return undefined;
  }
}

function parseAddress(text: string): Address | undefined {
  const url = parseUrl(text);
  if (url === undefined) return undefined;
  const [, host = url.host, port = ''] = /^(\[[^\]]*\]|[^:]*):([0-9]*)$/.exec(url.host) ?? [];
  return { labels: host.split('.'), port, path: url.path };
}

/**
 * The key that a docker configuration's registry is filed under: host and path without scheme, where `/v1/` and
 * `/v2/` mean the host itself. Undefined where it isn't a URL.
 */
export function registryKey(registry: string): string | undefined {
  const url = parseUrl(registry.replace(/^https?:\/\//, ''));
  if (url === undefined) return undefined;
  const path = /^\/v[12]\//.test(url.path) ? url.path.slice(3) : url.path;
  return path === '/' ? url.host : url.host + path;
}

/** Whether `text` fits `pattern`, where each `*` stands for any characters. Never backtracks over more than one star. */
function globMatches(pattern: string, text: string): boolean {
  let [at, from] = [0, 0];
  let star = -1;
  let covered = 0;
  while (from < text.length) {
    if (pattern[at] === '*') {
      star = at++;
      covered = from;
    } else if (at < pattern.length && pattern[at] === text[from]) {
      at++;
      from++;
    } else if (star >= 0) {
      at = star + 1;
      from = ++covered;
    } else return false;
  }
  while (pattern[at] === '*') at++;
  return at === pattern.length;
}

/** Whether a login filed under `key` is for `repository`: same port, host label by label, path by prefix. */
export function registryMatches(key: string, repository: string): boolean {
  const [glob, target] = [parseAddress(key), parseAddress(repository)];
  if (glob === undefined || target === undefined) return false;
  return (
    glob.port === target.port &&
    glob.labels.length === target.labels.length &&
    target.path.startsWith(glob.path) &&
    glob.labels.every((label, index) => globMatches(label, target.labels[index] ?? ''))
  );
}

/** Whether the image comes from Docker Hub, by the look of its name. */
export function isDefaultRegistry(repository: string): boolean {
  const [first = '', ...rest] = repository.split('/');
  if (first === '') return false;
  return rest.length === 0 || first === 'docker.io' || first === 'index.docker.io' || !/[.:]/.test(first);
}
