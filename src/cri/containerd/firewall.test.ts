import { expect, test } from 'vitest';
import { renderRemoval } from './firewall.ts';

const pod = (network: string, id: string): string => `name: \\"${network}\\" id: \\"${id}\\"`;

const save = `# comment
*nat
:PREROUTING ACCEPT [0:0]
:CNI-DN-aaaaaaaaaaaaaaaaaaaaa - [0:0]
:CNI-DN-bbbbbbbbbbbbbbbbbbbbb - [0:0]
:CNI-HOSTPORT-DNAT - [0:0]
:CNI-HOSTPORT-MASQ - [0:0]
:CNI-HOSTPORT-SETMARK - [0:0]
:CNI-1234567890abcdef12345678 - [0:0]
:CNI-fedcba0987654321fedcba09 - [0:0]
-A PREROUTING -m addrtype --dst-type LOCAL -j CNI-HOSTPORT-DNAT
-A OUTPUT -m addrtype --dst-type LOCAL -j CNI-HOSTPORT-DNAT
-A POSTROUTING -m comment --comment "CNI portfwd requiring masquerade" -j CNI-HOSTPORT-MASQ
-A POSTROUTING -s 10.88.0.2/32 -m comment --comment "${pod('nodelet0', 'p1')}" -j CNI-1234567890abcdef12345678
-A POSTROUTING -s 10.77.0.2/32 -m comment --comment "${pod('other', 'p2')}" -j CNI-fedcba0987654321fedcba09
-A POSTROUTING -s 10.88.0.0/16 ! -d 10.88.0.0/16 -m comment --comment "nodelet: pods of nodelet0 to the outside" -j MASQUERADE
-A POSTROUTING -s 10.89.0.0/16 ! -d 10.89.0.0/16 -m comment --comment "nodelet: pods of nodelet01 to the outside" -j MASQUERADE
-A CNI-DN-aaaaaaaaaaaaaaaaaaaaa -p tcp -m tcp --dport 80 -j DNAT --to-destination 10.88.0.2:80
-A CNI-HOSTPORT-DNAT -p tcp -m comment --comment "dnat ${pod('nodelet0', 'p1')}" -m multiport --dports 80 -j CNI-DN-aaaaaaaaaaaaaaaaaaaaa
# others
-A CNI-HOSTPORT-MASQ -m mark --mark 0x2000/0x2000 -j MASQUERADE
-A CNI-1234567890abcdef12345678 -d 10.88.0.0/16 -m comment --comment "${pod('nodelet0', 'p1')}" -j ACCEPT
-A CNI-1234567890abcdef12345678 ! -d 224.0.0.0/4 -m comment --comment "${pod('nodelet0', 'p1')}" -j MASQUERADE
-A CNI-fedcba0987654321fedcba09 -d 10.77.0.0/16 -m comment --comment "${pod('other', 'p2')}" -j ACCEPT
COMMIT
*filter
-A FORWARD -m comment --comment "CNI firewall plugin rules" -j CNI-FORWARD
-A CNI-FORWARD -d 10.88.0.2/32 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A CNI-FORWARD -s 10.88.0.2/32 -j ACCEPT
-A CNI-FORWARD -s 10.77.0.2/32 -j ACCEPT
COMMIT
`;
const otherHostPort = `-A CNI-HOSTPORT-DNAT -p tcp -m comment --comment "dnat ${pod('other', 'p2')}" -j CNI-DN-bbbbbbbbbbbbbbbbbbbbb`;

test('takes away one network’s rules and chains, and portmap’s shared ones when nobody else is in them', () => {
  expect(renderRemoval(save, 'nodelet0', '10.88.0.0/16').split('\n')).toMatchInlineSnapshot(`
    [
      "*nat",
      "-F CNI-1234567890abcdef12345678",
      "-F CNI-DN-aaaaaaaaaaaaaaaaaaaaa",
      "-F CNI-HOSTPORT-DNAT",
      "-F CNI-HOSTPORT-MASQ",
      "-F CNI-HOSTPORT-SETMARK",
      "-D POSTROUTING -s 10.88.0.2/32 -m comment --comment "name: \\"nodelet0\\" id: \\"p1\\"" -j CNI-1234567890abcdef12345678",
      "-D POSTROUTING -s 10.88.0.0/16 ! -d 10.88.0.0/16 -m comment --comment "nodelet: pods of nodelet0 to the outside" -j MASQUERADE",
      "-D PREROUTING -m addrtype --dst-type LOCAL -j CNI-HOSTPORT-DNAT",
      "-D OUTPUT -m addrtype --dst-type LOCAL -j CNI-HOSTPORT-DNAT",
      "-D POSTROUTING -m comment --comment "CNI portfwd requiring masquerade" -j CNI-HOSTPORT-MASQ",
      "-X CNI-1234567890abcdef12345678",
      "-X CNI-DN-aaaaaaaaaaaaaaaaaaaaa",
      "-X CNI-HOSTPORT-DNAT",
      "-X CNI-HOSTPORT-MASQ",
      "-X CNI-HOSTPORT-SETMARK",
      "COMMIT",
      "*filter",
      "-D CNI-FORWARD -d 10.88.0.2/32 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
      "-D CNI-FORWARD -s 10.88.0.2/32 -j ACCEPT",
      "COMMIT",
      "",
    ]
  `);
});

test('leaves the shared chains to others that use them', () => {
  const removal = renderRemoval(save.replace('# others', `${otherHostPort}\n`), 'nodelet0', '10.88.0.0/16');
  expect(removal).toContain('-X CNI-DN-aaaaaaaaaaaaaaaaaaaaa');
  expect(removal).not.toMatch(/HOSTPORT-MASQ|SETMARK|PREROUTING|bbbb/);
});

test('a network of which nothing is left has nothing to remove', () => {
  expect(renderRemoval(save.replace('# others', `${otherHostPort}\n`), 'nodelet', '10.99.0.0/16')).toBe('');
  expect(renderRemoval('', 'nodelet0', '10.88.0.0/16')).toBe('');
});
