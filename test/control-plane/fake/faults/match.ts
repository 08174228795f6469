import type { Verb } from '../request.ts';

/** Which requests something is about: all that is given must hold. */
export interface RequestMatch {
  verb?: Verb | readonly Verb[];
  /** `pods`, `pods/status`, `leases`. */
  resource?: string | readonly string[];
  namespace?: string;
  name?: string;
  user?: string | RegExp;
  userAgent?: RegExp;
  /** Against path and query. */
  path?: RegExp;
}

export interface RequestFacts {
  method: string;
  /** Path and query as sent. */
  path: string;
  user: string;
  userAgent: string;
  verb?: Verb;
  /** With the subresource: `pods/status`. Absent for paths that are no resource. */
  resource?: string;
  namespace?: string;
  name?: string;
}

const oneOf = (wanted: string | readonly string[] | undefined, value: string | undefined): boolean =>
  wanted === undefined || (value !== undefined && [wanted].flat().includes(value));

export function matches(match: RequestMatch, facts: RequestFacts): boolean {
  const { user, userAgent, path } = match;
  if (!oneOf(match.verb, facts.verb) || !oneOf(match.resource, facts.resource)) return false;
  if (match.namespace !== undefined && match.namespace !== facts.namespace) return false;
  if (match.name !== undefined && match.name !== facts.name) return false;
  if (typeof user === 'string' ? user !== facts.user : user?.test(facts.user) === false) return false;
  if (userAgent?.test(facts.userAgent) === false) return false;
  return path?.test(facts.path) !== false;
}
