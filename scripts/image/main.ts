/** Writes the two images that the examples need as OCI archives into a folder: `node scripts/image/main.ts DIR`. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { buildImage } from './image.ts';
import { busyboxImage, pauseImage } from './images.ts';

const folder = process.argv[2];
if (folder === undefined) {
  process.stderr.write('usage: node scripts/image/main.ts DIR\n');
  process.exit(2);
}
await mkdir(folder, { recursive: true });
for (const image of [await pauseImage(), await busyboxImage()]) {
  const built = buildImage(image);
  const path = join(folder, `${image.name.replaceAll(/[/:]/g, '-')}.tar`);
  await writeFile(path, built.archive);
  process.stdout.write(`${built.name} ${built.digest} ${path}\n`);
}
