import { describe, expect, test } from 'vitest';
import { type HttpGetAction, hrefOf, httpRequest } from './http-request.ts';

const request = (action: Partial<HttpGetAction>, podIp = '10.0.0.2') =>
  httpRequest(action, 8080, podIp, 'kube-probe/1.36');

describe('httpRequest', () => {
  test('goes to the pod with upstream’s headers unless told otherwise', () => {
    const made = request({ path: '/healthz', scheme: 'HTTP' });
    expect(hrefOf(made)).toBe('http://10.0.0.2:8080/healthz');
    expect(made.headers).toEqual({
      Host: ['10.0.0.2:8080'],
      'User-Agent': ['kube-probe/1.36'],
      Accept: ['*/*'],
    });
    expect(hrefOf(request({ scheme: 'HTTPS', host: 'example.org' }))).toBe('https://example.org:8080/');
    expect(hrefOf(request({ path: '/' }, 'fd00::2'))).toBe('http://[fd00::2]:8080/');
  });

  test('headers: canonical names, several values, Host sets the authority, an empty one takes the default away', () => {
    const httpHeaders = [
      { name: 'x-my-header', value: 'a' },
      { name: 'X-My-Header', value: 'b' },
      { name: 'host', value: 'shop.example' },
      { name: 'accept', value: '' },
      { name: 'user-agent', value: 'mine' },
    ];
    expect(request({ httpHeaders }).headers).toEqual({
      'X-My-Header': ['a', 'b'],
      Host: ['shop.example'],
      'User-Agent': ['mine'],
    });
  });

  test.each([
    ['', '/'],
    ['shutdown', '/shutdown'],
    ['/a/../b', '/a/../b'],
    ['/a b/ü?x=1&y= 2#part', '/a%20b/%C3%BC?x=1&y=%202'],
    ['/a%20b', '/a%20b'],
    ['/100%?x', '/100%25%3Fx'],
    ['http://elsewhere/x?y', '/x?y'],
    ['//elsewhere/x', '/x'],
    ["/~u/!$&'()*+,;=:@", "/~u/!$&'()*+,;=:@"],
  ])('path %j is sent as %s', (path, sent) => {
    expect(request({ path }).path).toBe(sent);
  });
});
