import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import type { Image, ImageConfig } from './image.ts';
import type { TarEntry } from './tar.ts';

/** What the examples and most tests run. */
export const busyboxName = 'nodelet.local/busybox:1';
/** What holds a pod's namespaces where no registry has upstream's image. */
export const pauseName = 'nodelet.local/pause:1';

const busyboxPath = '/bin/busybox';
const text = (value: string): Uint8Array => Buffer.from(value);

interface Busybox {
  binary: Buffer;
  applets: string[];
}

async function readBusybox(): Promise<Busybox> {
  const binary = await readFile(busyboxPath).catch((cause: unknown) => {
    throw new Error(`${busyboxPath} is missing: install Debian's busybox-static`, { cause });
  });
  // Neither a script nor a program that needs the machine's libraries runs in an image that holds nothing else.
  if (binary.includes('/lib64/ld-linux') || binary.includes('/lib/ld-linux')) {
    throw new Error(`${busyboxPath} is not static: install Debian's busybox-static`);
  }
  const { stdout } = await promisify(execFile)(busyboxPath, ['--list']);
  return { binary, applets: stdout.split('\n').filter((name) => name !== '' && name !== 'busybox') };
}

function rootfs({ binary, applets }: Busybox): TarEntry[] {
  return [
    { path: 'bin', kind: 'directory' },
    { path: 'bin/busybox', kind: 'file', mode: 0o755, data: binary },
    ...applets.map((name) => ({ path: `bin/${name}`, kind: 'symlink' as const, target: '/bin/busybox' })),
    { path: 'dev', kind: 'directory' },
    { path: 'etc', kind: 'directory' },
    {
      path: 'etc/group',
      kind: 'file',
      data: text('root:x:0:\nusers:x:100:app\nextra:x:2000:app\napp:x:1000:\nnobody:x:65534:\n'),
    },
    {
      path: 'etc/passwd',
      kind: 'file',
      data: text(
        'root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000:app:/home/app:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n',
      ),
    },
    { path: 'home', kind: 'directory' },
    { path: 'home/app', kind: 'directory', uid: 1000, gid: 1000 },
    { path: 'proc', kind: 'directory' },
    { path: 'root', kind: 'directory', mode: 0o700 },
    { path: 'sys', kind: 'directory' },
    { path: 'tmp', kind: 'directory', mode: 0o1777 },
    { path: 'var', kind: 'directory' },
    { path: 'var/run', kind: 'directory' },
  ];
}

/**
 * An image with busybox as every program, and the users root, app (1000, also in group extra, 2000) and nobody.
 * `config` replaces parts of its configuration, `files` come in a second layer.
 */
export async function busyboxImage(
  name: string = busyboxName,
  config: ImageConfig = {},
  files: TarEntry[] = [],
): Promise<Image> {
  const base = rootfs(await readBusybox());
  return {
    name,
    config: { Cmd: ['sh'], Env: ['PATH=/bin:/usr/bin:/sbin:/usr/sbin'], ...config },
    layers: files.length > 0 ? [base, files] : [base],
  };
}

// As a pod's first process it must end at TERM, and wait for processes whose parents are gone: the shell's own
// `wait` collects any child. The sleeping child is there only because `wait` returns at once without one.
const pauseScript = `#!/bin/sh
trap 'exit 0' TERM INT
while :; do
  sleep 2147483647 &
  wait $!
done
`;

/** The image of pods' sandboxes. */
export async function pauseImage(name: string = pauseName): Promise<Image> {
  const { binary } = await readBusybox();
  return {
    name,
    config: { Entrypoint: ['/pause'], Env: ['PATH=/bin'], User: '65535:65535' },
    layers: [
      [
        { path: 'bin', kind: 'directory' },
        { path: 'bin/busybox', kind: 'file', mode: 0o755, data: binary },
        ...['sh', 'sleep'].map((applet) => ({
          path: `bin/${applet}`,
          kind: 'symlink' as const,
          target: '/bin/busybox',
        })),
        { path: 'pause', kind: 'file', mode: 0o755, data: text(pauseScript) },
      ],
    ],
  };
}
