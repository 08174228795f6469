import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { findPrograms } from '#cri/containerd/programs.ts';
import { PrivateContainerd } from '#cri/containerd/private-containerd.ts';
import { systemClock } from '#host/clock.ts';
import { run } from '#host/process.ts';
import { silentLogger } from '#lib/logger.ts';
import { buildImage } from '../image/image.ts';
import { busyboxImage, pauseImage } from '../image/images.ts';
import { places } from './places.ts';

/** The quickstart's containerd; nodelet, started with the same folders, adopts it. */
const containerd = (sandboxImage: string): PrivateContainerd =>
  new PrivateContainerd({
    clock: systemClock,
    log: silentLogger,
    root: places.runtimeRoot,
    state: places.runtimeState,
    sandboxImage,
  });

/**
 * Makes the images of the examples and puts them into the private containerd, before nodelet looks for them.
 * Returns the sandbox image's name.
 */
export async function prepareImages(signal: AbortSignal): Promise<string> {
  const [pause, busybox] = [await pauseImage(), await busyboxImage()];
  const instance = containerd(pause.name);
  await instance.start(signal);
  try {
    const { path } = await findPrograms();
    const ctr = (...args: string[]): Promise<unknown> =>
      run('ctr', ['--address', instance.layout.socket, '--namespace', 'k8s.io', 'images', ...args], {
        signal,
        env: { PATH: path },
      });
    const folder = join(places.root, 'images');
    await mkdir(folder, { recursive: true });
    for (const image of [pause, busybox]) {
      const file = join(folder, 'image.tar');
      await writeFile(file, buildImage(image).archive);
      await ctr('import', file);
    }
    // Image clean-up spares what is pinned.
    await ctr('label', pause.name, 'io.cri-containerd.pinned=pinned');
    return pause.name;
  } finally {
    await instance.release();
  }
}
