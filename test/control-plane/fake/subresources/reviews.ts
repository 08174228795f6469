import type { Authenticator } from '../auth/authenticate.ts';
import type { TokenIssuer } from '../auth/jwt.ts';
import { textOf } from '../object.ts';
import type { JsonMap, KubeObject } from '../object.ts';
import type { User } from '../user.ts';
import { apiAudience } from './token.ts';

const userStatus = (user: User): JsonMap => ({
  username: user.name,
  groups: [...user.groups],
  ...(user.uid === undefined ? {} : { uid: user.uid }),
  ...(user.extra === undefined ? {} : { extra: structuredClone(user.extra) }),
});

/** Answers a TokenReview. */
export function reviewToken(body: KubeObject, authenticator: Authenticator, issuer: TokenIssuer): KubeObject {
  const token = textOf(body.spec?.['token']);
  const wanted = (body.spec?.['audiences'] ?? []) as string[];
  const user = authenticator.userOfToken(token);
  const aud = (issuer.read(token)?.['aud'] ?? [apiAudience]) as string[];
  const shared = (wanted.length === 0 ? [apiAudience] : wanted).filter((each) => aud.includes(each));
  const good = user !== undefined && shared.length > 0;
  const status: JsonMap = good
    ? { authenticated: true, user: userStatus(user), audiences: shared }
    : { user: {}, error: 'invalid bearer token' };
  return { ...body, status };
}

export type AccessRule = (spec: JsonMap) => boolean;

/** Answers a SubjectAccessReview: members of system:masters may all, others what the rule says. */
export function reviewAccess(body: KubeObject, rule: AccessRule): KubeObject {
  const spec = body.spec ?? {};
  const groups = (spec['groups'] ?? []) as string[];
  const allowed = groups.includes('system:masters') || rule(spec);
  return { ...body, status: allowed ? { allowed } : { allowed, reason: 'no rule allows it' } };
}
