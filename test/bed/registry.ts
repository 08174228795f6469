import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { buildImage } from '../../scripts/image/image.ts';
import type { BuiltImage, Image } from '../../scripts/image/image.ts';
import { assertBed, nodeAddress } from './bed.ts';
import { exec } from './exec.ts';

export interface RegistryOptions {
  /** 5000 unless given. */
  port?: number;
  /** Only this user may pull and push. */
  auth?: { username: string; password: string };
}

export interface TestRegistry {
  /** `192.0.2.10:5000`: what images' names begin with. */
  readonly host: string;
  /** For a containerd's `registryConfig`: says that the registry speaks plain HTTP. */
  readonly configDir: string;
  readonly logFile: string;
  /** Pushes the image under its name's path and tag (its host part is replaced): the name to pull it by. */
  push(image: Image): Promise<BuiltImage>;
  /** Requests served so far: lines of the registry's log that match. */
  requests(pattern: RegExp): Promise<number>;
  /** Ends it: connections are then refused. Images stay. */
  stop(): Promise<void>;
  start(): Promise<void>;
  /** Ends it and removes its images. */
  destroy(): Promise<void>;
}

// The registry knows bcrypt only, which Node has not; perl is on every Debian, and crypt(3) has it.
async function bcrypt(password: string): Promise<string> {
  const salt = '$2y$05$abcdefghijklmnopqrstuu';
  return (await exec('perl', ['-e', 'print crypt($ARGV[0], $ARGV[1])', '--', password, salt])).trim();
}

/** A real image registry on the node's address inside the test bed. */
export async function startRegistry(options: RegistryOptions = {}): Promise<TestRegistry> {
  assertBed();
  const dir = await mkdtemp(join(tmpdir(), 'registry-'));
  const host = `${nodeAddress}:${options.port ?? 5000}`;
  const logFile = join(dir, 'registry.log');
  const configDir = join(dir, 'certs.d');
  await mkdir(join(configDir, host), { recursive: true });
  await writeFile(
    join(configDir, host, 'hosts.toml'),
    `server = "http://${host}"\n[host."http://${host}"]\n  capabilities = ["pull", "resolve"]\n`,
  );
  const auth = options.auth;
  if (auth !== undefined) {
    await writeFile(join(dir, 'htpasswd'), `${auth.username}:${await bcrypt(auth.password)}\n`);
  }
  const config = {
    version: '0.1',
    log: { level: 'info', accesslog: { disabled: false } },
    storage: { filesystem: { rootdirectory: join(dir, 'data') }, delete: { enabled: true } },
    http: { addr: host },
    ...(auth === undefined ? {} : { auth: { htpasswd: { realm: 'test', path: join(dir, 'htpasswd') } } }),
  };
  // JSON is YAML too.
  await writeFile(join(dir, 'config.yml'), JSON.stringify(config));

  let child: ChildProcess | undefined;

  async function stop(): Promise<void> {
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  }

  async function start(): Promise<void> {
    await stop();
    const output = await open(logFile, 'a');
    try {
      child = spawn('docker-registry', ['serve', join(dir, 'config.yml')], {
        stdio: ['ignore', output.fd, output.fd],
      });
    } finally {
      await output.close();
    }
    const answers = (): Promise<boolean> =>
      fetch(`http://${host}/v2/`, { signal: AbortSignal.timeout(1000) }).then(
        (response) => response.status === 200 || response.status === 401,
        () => false,
      );
    for (let tries = 400; !(await answers()); tries -= 1) {
      if (child.exitCode !== null || tries === 0) {
        throw new Error(`the registry does not start:\n${await readFile(logFile, 'utf8')}`);
      }
      await wait(25);
    }
  }

  async function push(image: Image): Promise<BuiltImage> {
    const built = buildImage(image);
    const file = join(dir, 'push.tar');
    await writeFile(file, built.archive);
    const name = `${host}/${image.name.slice(image.name.indexOf('/') + 1)}`;
    const credentials = auth === undefined ? [] : ['--dest-creds', `${auth.username}:${auth.password}`];
    const how = ['--dest-tls-verify=false', ...credentials];
    await exec('skopeo', [
      '--insecure-policy',
      'copy',
      '--quiet',
      '--preserve-digests',
      ...how,
      `oci-archive:${file}`,
      `docker://${name}`,
    ]);
    await rm(file);
    return { ...built, name };
  }

  await start();
  return {
    host,
    configDir,
    logFile,
    push,
    async requests(pattern) {
      const log = await readFile(logFile, 'utf8');
      return log.split('\n').filter((line) => pattern.test(line)).length;
    },
    stop,
    start,
    async destroy() {
      await stop();
      await rm(dir, { recursive: true, force: true });
    },
  };
}
