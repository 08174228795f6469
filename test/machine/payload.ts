import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const checkout = fileURLToPath(new URL('../..', import.meta.url));

/** A disk with this checkout's build, its Node.js, images and the test's own script, as `/opt/nodelet`. */
export async function makePayload(work: string): Promise<string> {
  const tree = mkdtempSync(join(work, 'payload-'));
  for (const part of ['bin', 'dist', 'deploy', 'test/machine']) {
    cpSync(join(checkout, part), join(tree, part), { recursive: true });
  }
  cpSync(join(checkout, 'package.json'), join(tree, 'package.json'));
  mkdirSync(join(tree, 'runtime/bin'), { recursive: true });
  cpSync(realpathSync(process.execPath), join(tree, 'runtime/bin/node'));
  execFileSync(process.execPath, [join(checkout, 'scripts/image/main.ts'), join(tree, 'images')], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const disk = join(work, 'payload.ext4');
  execFileSync('truncate', ['-s', '400M', disk]);
  execFileSync('mkfs.ext4', ['-q', '-F', '-L', 'payload', '-d', tree, disk]);
  rmSync(tree, { recursive: true });
  return disk;
}
