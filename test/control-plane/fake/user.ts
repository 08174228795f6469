/** Who calls, as the API server tells them apart. */
export interface User {
  name: string;
  groups: readonly string[];
  uid?: string;
  extra?: Readonly<Record<string, string[]>>;
}

export const anonymous: User = { name: 'system:anonymous', groups: ['system:unauthenticated'] };

const NODE_USER = 'system:node:';

/** The node that a user is, where the node authorizer would take it for one. */
export function nodeOf(user: User): string | undefined {
  const isNode = user.name.startsWith(NODE_USER) && user.groups.includes('system:nodes');
  return isNode ? user.name.slice(NODE_USER.length) : undefined;
}

export const isAdmin = (user: User): boolean => user.groups.includes('system:masters');
