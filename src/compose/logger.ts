import { pino } from 'pino';
import type { LogOptions } from '#config/agent-options.ts';
import type { Logger } from '#lib/logger.ts';

/** JSON lines on standard output, or text for people where that is a terminal and nothing else is asked for. */
export async function createLogger(options: LogOptions): Promise<Logger> {
  const settings = { level: options.level, base: null, timestamp: pino.stdTimeFunctions.isoTime };
  if (options.format === 'text' && process.stdout.isTTY) {
    const { default: pretty } = await import('pino-pretty');
    // Synchronous, and in this process: a worker thread would cost memory for nothing.
    const readable: Logger = pino(settings, pretty({ sync: true, colorize: true, ignore: 'pid,hostname' }));
    return readable;
  }
  const lines: Logger = pino(settings, pino.destination({ fd: 1, sync: false }));
  return lines;
}
