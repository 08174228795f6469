import { expect, test } from 'vitest';
import { silentLogger } from '#lib/logger.ts';
import { KERNEL_TUNABLES, KernelTunablesError, applyKernelTunables } from './kernel-tunables.ts';

function kernel(values: Record<string, string>, writable = true) {
  const present = new Map(Object.entries(values));
  const warnings: object[] = [];
  return {
    present,
    warnings,
    logger: { ...silentLogger, warn: (fields: object) => void warnings.push(fields) },
    sysctls: {
      read: (name: string) => Promise.resolve(present.get(name)),
      write: (name: string, value: string) => {
        if (!writable) return Promise.reject(Object.assign(new Error('read-only'), { code: 'EROFS' }));
        present.set(name, value);
        return Promise.resolve();
      },
    },
  };
}
const wrong = { ...KERNEL_TUNABLES, 'kernel.panic': '0', 'vm.overcommit_memory': '2' };

test('sets what differs', async () => {
  const { present, warnings, logger, sysctls } = kernel(wrong);
  await applyKernelTunables(false, logger, sysctls);
  expect(Object.fromEntries(present)).toEqual(KERNEL_TUNABLES);
  expect(warnings).toEqual([]);
});

test.each([
  ['where it may not', kernel(wrong, false), ['vm.overcommit_memory', 'kernel.panic']],
  ['in an empty kernel', kernel({}), Object.keys(KERNEL_TUNABLES)],
])('warns %s', async (_name, { warnings, logger, sysctls }, named) => {
  await applyKernelTunables(false, logger, sysctls);
  expect(warnings.map((each) => (each as { sysctl: string }).sysctl)).toEqual(named);
});

test('protected: nothing is changed, and the error names each setting, both values and the mend', async () => {
  const { present, logger, sysctls } = kernel(wrong);
  const error = await applyKernelTunables(true, logger, sysctls).catch((each: unknown) => each);
  expect(error).toBeInstanceOf(KernelTunablesError);
  expect(String(error)).toContain('vm.overcommit_memory is 2 and must be 1');
  expect(String(error)).toContain('kernel.panic is 0 and must be 10');
  expect(String(error)).toContain('sysctl -w');
  expect(present.get('kernel.panic')).toBe('0');
});

test('protected and right is fine', async () => {
  const { logger, sysctls } = kernel(KERNEL_TUNABLES);
  await expect(applyKernelTunables(true, logger, sysctls)).resolves.toBeUndefined();
});
