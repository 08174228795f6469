import { Quantity } from '#lib/kube/quantity.ts';
import { quantityOrUndefined } from '../quantity.ts';
import type { Settings } from '../schema/settings.ts';

export type ReservableResource = 'cpu' | 'memory' | 'ephemeral-storage' | 'pid';

export type Reservation = Readonly<Partial<Record<ReservableResource, Quantity>>>;

export interface ReservationOptions {
  readonly system: Reservation;
  readonly kube: Reservation;
  /** Numbers of the CPUs kept for the system, rising; empty: none in particular. */
  readonly cpus: readonly number[];
  /** Cgroups on which reservations are enforced: `pods`, `system-reserved` …; empty: none. */
  readonly enforce: readonly string[];
  readonly systemCgroup: string | undefined;
  readonly kubeCgroup: string | undefined;
}

const reservable: readonly string[] = ['cpu', 'memory', 'ephemeral-storage', 'pid'];

function reservation(settings: Settings, path: string): Record<string, Quantity> {
  const found: Record<string, Quantity> = {};
  for (const [name, text] of Object.entries(settings.map(path))) {
    if (!reservable.includes(name)) throw settings.bad(path, `${reservable.join(', ')} as names`, name);
    const quantity = quantityOrUndefined(text);
    if (quantity === undefined || quantity.sign < 0) {
      throw settings.bad(path, `for ${name}: an amount such as '200m' or '1Gi', not below 0`, text);
    }
    found[name] = quantity;
  }
  return found;
}

/** More than any machine has; a range beyond it is a slip of the pen, and would only cost memory. */
const mostCpus = 8192;

/** `0-2,8` as 0, 1, 2, 8. */
function cpuNumbers(settings: Settings, path: string): number[] {
  const text = settings.string(path);
  if (text === '') return [];
  const cpus = new Set<number>();
  for (const range of text.split(',')) {
    const [from = 0, to = from] = range.split('-').map(Number);
    if (to < from || to >= mostCpus) throw settings.bad(path, `CPUs such as '0-3,8', below ${mostCpus}`);
    for (let cpu = from; cpu <= to; cpu += 1) cpus.add(cpu);
  }
  return [...cpus].sort((a, b) => a - b);
}

/** What is kept from pods; throws UsageError with the field, the value and what is allowed. */
export function reservationOptions(settings: Settings): ReservationOptions {
  const system = reservation(settings, 'systemReserved');
  const kube = reservation(settings, 'kubeReserved');
  const cpus = cpuNumbers(settings, 'reservedSystemCPUs');
  if (cpus.length > 0) {
    system['cpu'] = Quantity.fromInteger(cpus.length);
    delete kube['cpu'];
  }
  return {
    system,
    kube,
    cpus,
    enforce: settings.list('enforceNodeAllocatable').filter((each) => each !== 'none'),
    systemCgroup: settings.stringOrUndefined('systemReservedCgroup'),
    kubeCgroup: settings.stringOrUndefined('kubeReservedCgroup'),
  };
}
