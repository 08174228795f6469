import { networkInterfaces } from 'node:os';
import { readText } from './files.ts';

/** The interface of the IPv4 default route with the lowest metric, or undefined. */
async function defaultInterface(): Promise<string | undefined> {
  const rows = ((await readText('/proc/net/route')) ?? '').split('\n').slice(1);
  const routes = rows
    .map((row) => row.split('\t'))
    .filter((columns) => columns[1] === '00000000' && columns[7] === '00000000')
    .map((columns) => ({ name: columns[0] ?? '', metric: Number(columns[6]) }));
  return routes.sort((a, b) => a.metric - b.metric)[0]?.name;
}

/**
 * The machine's own addresses as others reach it, IPv4 first, at most one of each family: those of the interface
 * with the default route, or else of the first interface that has any. Never loopback or link-local.
 */
export async function nodeAddresses(): Promise<string[]> {
  const preferred = await defaultInterface();
  const interfaces = Object.entries(networkInterfaces()).sort(
    ([a], [b]) => Number(b === preferred) - Number(a === preferred),
  );
  const usable = interfaces.flatMap(([, addresses]) =>
    (addresses ?? []).filter(
      ({ internal, address }) => !internal && !address.startsWith('169.254.') && !/^fe80:/i.test(address),
    ),
  );
  return ['IPv4', 'IPv6'].flatMap((family) => usable.find((each) => each.family === family)?.address ?? []);
}
