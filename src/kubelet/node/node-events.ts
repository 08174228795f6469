/** Events about the node itself, with upstream's reasons. Never throws and never blocks. */
export interface NodeEvents {
  event(type: 'Normal' | 'Warning', reason: string, message: string): void;
}

/** The message of upstream's events that tell of a status. */
export const statusMessage = (nodeName: string, reason: string): string =>
  `Node ${nodeName} status is now: ${reason}`;
