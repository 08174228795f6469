import { createConnection } from 'node:net';

/** Whether somebody accepts connections at a Unix socket, within `timeoutMs`. */
export function socketAnswers(path: string, timeoutMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    const connection = createConnection({ path });
    const settle = (answer: boolean) => (): void => {
      connection.destroy();
      resolve(answer);
    };
    connection.setTimeout(timeoutMs, settle(false));
    connection.once('connect', settle(true));
    connection.once('error', settle(false));
  });
}
