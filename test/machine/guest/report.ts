/** What the machine tells its host: a line each, `@@ WORD text`, on the second serial line. */
import { setTimeout as wait } from 'node:timers/promises';

const started = performance.now();

export function tell(word: 'PASS' | 'FAIL' | 'NOTE' | 'STAGE' | 'END', text: string): void {
  const seconds = ((performance.now() - started) / 1000).toFixed(0);
  for (const line of text.split('\n')) process.stdout.write(`@@ ${word} ${line.trimEnd()} [${seconds} s]\n`);
}

/** Runs one named check; a failure is told and the test goes on. Says whether it passed. */
export async function check(name: string, work: () => Promise<void> | void): Promise<boolean> {
  try {
    await work();
    tell('PASS', name);
    return true;
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    tell('FAIL', `${name}: ${text.replaceAll(/\s*\n\s*/g, ' | ').slice(0, 1500)}`);
    return false;
  }
}

/** How much longer everything may take than on an idle machine: the processor is emulated, its host busy. */
const patience = 3;

/** Asks again until `problem` returns undefined; throws the last problem when the time is over. */
export async function until(
  seconds: number,
  problem: () => Promise<string | undefined> | string | undefined,
): Promise<void> {
  const end = performance.now() + seconds * patience * 1000;
  for (;;) {
    const text = await Promise.resolve()
      .then(problem)
      .catch((error: unknown) => (error instanceof Error ? error.message : String(error)));
    if (text === undefined) return;
    if (performance.now() > end) throw new Error(`after ${seconds * patience} s: ${text}`);
    await wait(1000);
  }
}

export function equal(actual: unknown, expected: unknown, what: string): void {
  const [is, wanted] = [JSON.stringify(actual), JSON.stringify(expected)];
  if (is !== wanted) throw new Error(`${what} is ${is}, not ${wanted}`);
}
