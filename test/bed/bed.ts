import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';

/** Of the node inside the bed; there is nobody else on that network. */
export const nodeAddress = '192.0.2.10';

/** Throws outside the bed's namespaces, so that a test run by hand can't touch the machine. */
export function assertBed(): void {
  const inside =
    process.env['NODELET_TEST_BED'] === '1' && readFileSync('/proc/1/cmdline', 'utf8').includes('inside.sh');
  if (!inside) throw new Error('integration tests run only in the test bed: node test/run.ts [FILTER]');
}

const capSysResource = 24n;

/** Whether this process may lower OOM scores and raise limits (CAP_SYS_RESOURCE); containers don't always have it. */
export async function mayRaiseLimits(): Promise<boolean> {
  const status = await readFile('/proc/self/status', 'utf8');
  const bits = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? '0'}`);
  return ((bits >> capSysResource) & 1n) === 1n;
}
