import { expect, test } from 'vitest';
import { hostNetworkHosts, managedHosts } from './hosts-file.ts';

const head =
  '# Kubernetes-managed hosts file.\n' +
  '127.0.0.1\tlocalhost\n' +
  '::1\tlocalhost ip6-localhost ip6-loopback\n' +
  'fe00::0\tip6-localnet\n' +
  'fe00::0\tip6-mcastprefix\n' +
  'fe00::1\tip6-allnodes\n' +
  'fe00::2\tip6-allrouters\n';
const aliases = [{ ip: '10.9.9.9', hostnames: ['a', 'b.c'] }, { ip: 'fd00::9' }];
const aliasText = '\n# Entries added by HostAliases.\n10.9.9.9\ta\tb.c\nfd00::9\t\n';

test('a pod of one address', () => {
  expect(managedHosts(['10.0.0.5'], { hostname: 'web', domain: '' })).toBe(`${head}10.0.0.5\tweb\n`);
});

test('a pod of two addresses, with a domain and aliases', () => {
  const name = { hostname: 'db-0', domain: 'db.ns.svc.cluster.local' };
  expect(managedHosts(['10.0.0.5', 'fd00::5'], name, aliases)).toBe(
    `${head}10.0.0.5\tdb-0.db.ns.svc.cluster.local\tdb-0\n` +
      `fd00::5\tdb-0.db.ns.svc.cluster.local\tdb-0\n${aliasText}`,
  );
});

test('a pod on the node’s network gets the node’s file, byte for byte', () => {
  const node = Buffer.from([0x31, 0x09, 0xe4, 0xff]);
  const start = Buffer.from('# Kubernetes-managed hosts file (host network).\n');
  expect(hostNetworkHosts(node)).toEqual(Buffer.concat([start, node]));
  expect(hostNetworkHosts(node, aliases)).toEqual(Buffer.concat([start, node, Buffer.from(aliasText)]));
});
