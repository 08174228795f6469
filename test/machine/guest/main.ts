/** Runs inside the test machine at each boot: the first boot's checks, then those after a reboot, then power off. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { cleanUp, rememberClean } from './cleanup.ts';
import { run } from './machine.ts';
import { check, tell } from './report.ts';
import { systemdDriver } from './slices.ts';
import { afterReboot, install, limits, remember, restarts, start, units } from './standalone.ts';

const marker = '/var/lib/machine-test/rebooted';

async function versions(): Promise<void> {
  const texts = await Promise.all([
    run('uname', '-r'),
    run('systemctl', '--version'),
    run('containerd', '--version'),
    run('runc', '--version'),
  ]);
  tell('NOTE', texts.map((text) => text.split('\n')[0]).join('; '));
}

const stages = {
  first: [versions, rememberClean, install, start, units, limits, restarts, remember],
  second: [afterReboot, cleanUp, systemdDriver],
};

mkdirSync('/var/lib/machine-test', { recursive: true });
const isSecond = existsSync(marker);
tell('STAGE', isSecond ? 'after the reboot' : 'first boot');
for (const stage of isSecond ? stages.second : stages.first) {
  try {
    await stage();
  } catch (error) {
    await check(`the stage ${stage.name} goes to its end`, () => {
      throw error;
    });
  }
}
if (isSecond) {
  tell('END', 'all');
  execFileSync('systemctl', ['poweroff', '--no-block']);
} else {
  writeFileSync(marker, '');
  tell('STAGE', 'reboot');
  execFileSync('systemctl', ['reboot', '--no-block']);
}
