import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { InstanceLockError, lockFolder } from './instance-lock.ts';

test('a folder is locked once', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'nodelet-lock-'));
  try {
    await lockFolder(folder);
    await expect(lockFolder(folder)).rejects.toBeInstanceOf(InstanceLockError);
  } finally {
    await rm(folder, { recursive: true });
  }
});
