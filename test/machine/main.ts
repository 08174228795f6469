/**
 * `node test/machine/main.ts`: nodelet on a real systemd with cgroup v2, in a virtual machine without a network.
 * Needs mmdebstrap, qemu-system-x86 and e2fsprogs, and installs them where apt is. The machine's own processor is
 * emulated, so that this also works where there is no hardware virtualisation.
 */
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { makePayload } from './payload.ts';

const here = fileURLToPath(new URL('.', import.meta.url));
const minutes = Number(process.env['NODELET_TEST_MINUTES'] ?? 45);
const say = (text: string): void => void process.stdout.write(`${text}\n`);

execFileSync('bash', [join(here, 'packages.sh')], { stdio: 'inherit' });
const base = execFileSync('bash', [join(here, 'base.sh')], {
  stdio: ['ignore', 'pipe', 'inherit'],
  encoding: 'utf8',
}).trim();

const work = mkdtempSync(join(tmpdir(), 'nodelet-machine-'));
const consoleFile = join(work, 'console.log');
const passed: string[] = [];
const failed: string[] = [];
let ended = false;

/** The console goes to a file, the test's report to standard output. Nothing else leads into the machine or out. */
function hardware(payload: string): string[] {
  const options = {
    accel: 'tcg,thread=multi',
    // Other processors' instructions are not emulated well enough for the kernel and Node.js.
    cpu: 'Nehalem,-cx16',
    smp: '2',
    m: '2048',
    nic: 'none',
    vga: 'none',
    display: 'none',
    monitor: 'none',
    kernel: join(base, 'vmlinuz'),
    initrd: join(base, 'initrd'),
    append: 'root=/dev/vda rw console=ttyS0 panic=10 systemd.show_status=true',
  };
  const lists = {
    drive: [
      `file=${join(base, 'disk.ext4')},if=virtio,format=raw,snapshot=on`,
      `file=${payload},if=virtio,format=raw,readonly=on`,
    ],
    serial: [`file:${consoleFile}`, 'stdio'],
  };
  return Object.entries({ ...options, ...lists }).flatMap(([name, value]) =>
    [value].flat().flatMap((word) => [`-${name}`, word]),
  );
}

/** One line from the machine. */
function take(line: string): void {
  const [, word, text = ''] = /^@@ (PASS|FAIL|NOTE|STAGE|END) (.*)$/.exec(line.replace(/\r/g, '')) ?? [];
  if (word === undefined) {
    if (line.trim() !== '') say(`        ${line}`);
    return;
  }
  if (word === 'PASS') passed.push(text);
  if (word === 'FAIL') failed.push(text);
  if (word === 'END') ended = true;
  say(`${word.padEnd(6)}  ${text}`);
}

try {
  const payload = await makePayload(work);
  say('starting the machine');
  const machine = spawn('nice', ['-n', '10', 'qemu-system-x86_64', ...hardware(payload)], {
    stdio: ['ignore', 'pipe', 'inherit'],
    // Where the emulator keeps what the machine writes to its disk.
    env: { ...process.env, TMPDIR: work },
  });
  const stop = (): void => void machine.kill('SIGKILL');
  const timer = setTimeout(() => {
    failed.push(`the machine did not end within ${minutes} minutes`);
    stop();
  }, minutes * 60_000);
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, stop);
  const lines = createInterface({ input: machine.stdout });
  lines.on('line', take);
  const status = await new Promise<number>((resolve, reject) => {
    machine.on('error', reject);
    machine.on('close', (code) => resolve(code ?? 137));
  });
  clearTimeout(timer);
  if (!ended) {
    failed.push(`the machine ended (status ${status}) before its test did; the end of its console:`);
    say(readFileSync(consoleFile, 'utf8').split('\n').slice(-60).join('\n'));
  }
} finally {
  rmSync(work, { recursive: true, force: true });
}

say('');
for (const name of failed) say(`failed: ${name}`);
say(`machine: ${passed.length} passed, ${failed.length} failed`);
process.exit(failed.length > 0 || passed.length === 0 ? 1 : 0);
