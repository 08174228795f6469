/** The request of an httpGet action, of a probe or a hook, as upstream makes it. */
import type { Container } from '#lib/kube/types.ts';
import { joinHostPort } from './go-words.ts';

export type HttpGetAction = NonNullable<NonNullable<Container['livenessProbe']>['httpGet']>;

export interface HttpRequest {
  secure: boolean;
  host: string;
  port: number;
  /** Path and query as they are sent. */
  path: string;
  /** By canonical name; Host is among them. */
  headers: Readonly<Record<string, readonly string[]>>;
}

export const hrefOf = ({ secure, host, port, path }: Omit<HttpRequest, 'headers'>): string =>
  `${secure ? 'https' : 'http'}://${joinHostPort(host, port)}${path}`;

/** `x-my-header` → `X-My-Header`. */
const canonical = (name: string): string =>
  name.toLowerCase().replaceAll(/(^|-)[a-z]/g, (start) => start.toUpperCase());

/** `port` is a number by now; `podIp` is where it goes unless the action names a host. */
export function httpRequest(
  action: Omit<HttpGetAction, 'port'>,
  port: number,
  podIp: string,
  userAgent: string,
): HttpRequest {
  const host = action.host || podIp;
  const headers: Record<string, string[]> = {};
  for (const { name, value } of action.httpHeaders ?? []) (headers[canonical(name)] ??= []).push(value);
  headers['User-Agent'] ??= [userAgent];
  headers['Accept'] ??= ['*/*'];
  for (const name of ['User-Agent', 'Accept', 'Host']) if (headers[name]?.[0] === '') delete headers[name];
  headers['Host'] = [headers['Host']?.[0] ?? joinHostPort(host, port)];
  return {
    secure: action.scheme?.toUpperCase() === 'HTTPS',
    host,
    port,
    path: requestPath(action.path ?? ''),
    headers,
  };
}

const encoded = (text: string, except: RegExp): string =>
  text.replaceAll(except, (character) =>
    [...Buffer.from(character)]
      .map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`)
      .join(''),
  );

/**
 * What of `text` goes into the request line: people write paths without a leading slash, with blanks, and with a
 * query. A text with a broken percent escape is taken for a path that isn't escaped at all, as in Go.
 */
function requestPath(text: string): string {
  const [whole = ''] = text.replace(/^([a-z][a-z0-9+.-]*:)?\/\/[^/?#]*/i, '').split('#');
  const question = whole.indexOf('?');
  const path = question < 0 ? whole : whole.slice(0, question);
  const query = question < 0 ? '' : whole.slice(question);
  const rooted = (part: string): string => (part.startsWith('/') ? part : `/${part}`);
  if (/%(?![0-9a-f]{2})/i.test(path)) return rooted(encoded(text, /[^A-Za-z0-9\-_.~$&+,/:;=@]/gu));
  return rooted(encoded(path, /[^A-Za-z0-9\-_.~!$&'()*+,;:=@[\]/%]/gu)) + encoded(query, /[^!-~]/gu);
}
