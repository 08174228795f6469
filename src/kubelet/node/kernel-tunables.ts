/** The kernel's settings that a node wants (upstream's setupKernelTunables). */
import { readSysctl, writeSysctl } from '#host/sysctl.ts';
import { NodeletError, describeError } from '#lib/errors.ts';
import type { Logger } from '#lib/logger.ts';

/** Settings are otherwise than the node wants them, and `protectKernelDefaults` forbids changing them. */
export class KernelTunablesError extends NodeletError {
  readonly code = 'KERNEL_TUNABLES';
}

/** Memory is promised freely and the OOM killer decides; a kernel that panics reboots; keys enough for many containers. */
export const KERNEL_TUNABLES: Readonly<Record<string, string>> = {
  'vm.overcommit_memory': '1',
  'vm.panic_on_oom': '0',
  'kernel.panic': '10',
  'kernel.panic_on_oops': '1',
  'kernel.keys.root_maxkeys': '1000000',
  'kernel.keys.root_maxbytes': '25000000',
};

export interface Sysctls {
  read(name: string): Promise<string | undefined>;
  write(name: string, value: string): Promise<void>;
}

const machineSysctls: Sysctls = { read: readSysctl, write: writeSysctl };

/**
 * Sets what differs, or with `protect` (`protectKernelDefaults`) rejects with KernelTunablesError naming all that does.
 * What this process may not set is only warned of: in a container the machine's owner has to.
 */
export async function applyKernelTunables(
  protect: boolean,
  logger: Logger,
  sysctls: Sysctls = machineSysctls,
): Promise<void> {
  const wrong: string[] = [];
  for (const [name, value] of Object.entries(KERNEL_TUNABLES)) {
    const present = await sysctls.read(name);
    if (present === value) continue;
    if (protect) {
      wrong.push(`${name} is ${present ?? 'missing'} and must be ${value}`);
      continue;
    }
    try {
      if (present === undefined) throw new KernelTunablesError(`the kernel has no setting ${name}`);
      await sysctls.write(name, value);
      logger.info({ sysctl: name, before: present, value }, 'a kernel setting was changed');
    } catch (error) {
      logger.warn(
        { sysctl: name, present, wanted: value },
        `a kernel setting is not as a node wants it and can't be changed: ${describeError(error)}`,
      );
    }
  }
  if (wrong.length === 0) return;
  throw new KernelTunablesError(
    `protectKernelDefaults forbids changing the kernel's settings, and ${wrong.join('; ')}: set them (sysctl -w ` +
      'NAME=VALUE, and in /etc/sysctl.d to keep them) or leave protectKernelDefaults off',
  );
}
