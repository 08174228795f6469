import { createPublicKey, generateKeyPairSync, sign, verify } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { isMap } from '../object.ts';
import type { JsonMap } from '../object.ts';

const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

/** Signs and reads JSON Web Tokens (ES256) as the service account issuer does. */
export class TokenIssuer {
  readonly #key: KeyObject;

  constructor() {
    this.#key = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
  }

  sign(claims: JsonMap): string {
    const head = `${encode({ alg: 'ES256', kid: 'fake' })}.${encode(claims)}`;
    const signature = sign('sha256', Buffer.from(head), { key: this.#key, dsaEncoding: 'ieee-p1363' });
    return `${head}.${signature.toString('base64url')}`;
  }

  /** The claims, or undefined where the token isn't one of this issuer's; times are not looked at. */
  read(token: string): JsonMap | undefined {
    const [header, payload, signature] = token.split('.');
    if (header === undefined || payload === undefined || signature === undefined) return undefined;
    const key = { key: createPublicKey(this.#key), dsaEncoding: 'ieee-p1363' as const };
    const bytes = Buffer.from(`${header}.${payload}`);
    if (!verify('sha256', bytes, key, Buffer.from(signature, 'base64url'))) return undefined;
    const claims: unknown = JSON.parse(Buffer.from(payload, 'base64url').toString());
    return isMap(claims) ? claims : undefined;
  }
}

/** The claims of any JSON Web Token, unchecked: for assertions. */
export function claimsOf(token: string): JsonMap {
  return JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as JsonMap;
}
