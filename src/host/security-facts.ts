/** What the kernel says of the protection of containers. */
import { listDir, readText } from './files.ts';

export interface SecurityFacts {
  /** Whether AppArmor profiles are enforced. */
  appArmor: boolean;
  /** Each processor's folder of throttling counts, from which heat, and so the work of others, can be read. */
  maskedPaths: readonly string[];
}

const PROCESSORS = '/sys/devices/system/cpu';

async function thermalPaths(): Promise<string[]> {
  const found: string[] = [];
  for (const { name } of (await listDir(PROCESSORS)) ?? []) {
    const path = `${PROCESSORS}/${name}/thermal_throttle`;
    if (/^cpu\d+$/.test(name) && (await listDir(path)) !== undefined) found.push(path);
  }
  return found;
}

/** As runc tells whether AppArmor is there: the kernel's folder, and the module's switch. */
async function isAppArmorOn(): Promise<boolean> {
  const folder = await listDir('/sys/kernel/security/apparmor').catch(() => undefined);
  if (folder === undefined) return false;
  return (
    (await readText('/sys/module/apparmor/parameters/enabled').catch(() => undefined))?.startsWith('Y') ===
    true
  );
}

export async function readSecurityFacts(): Promise<SecurityFacts> {
  const [appArmor, maskedPaths] = await Promise.all([isAppArmorOn(), thermalPaths()]);
  return { appArmor, maskedPaths };
}
