/**
 * Docker's configuration files: `config.json` (logins under `auths`) and the older `.dockercfg` (logins at the top).
 * https://docs.docker.com/reference/cli/docker/login
 */
import { NodeletError } from '#lib/errors.ts';
import type { RegistryLogin } from './credential.ts';

/** Says what is wrong without quoting the file, whose every word may be a secret. */
export class DockerConfigError extends NodeletError {
  readonly code = 'DOCKER_CONFIG';
}

export interface DockerConfig {
  /** By registry (`https://index.docker.io/v1/`, `registry.example.com/team`), in the file's order. */
  readonly logins: ReadonlyMap<string, RegistryLogin>;
  /** Fields that name programs to ask for logins, which are not run: `credHelpers`, `credsStore`. */
  readonly ignored: readonly string[];
}

type Fields = Record<string, unknown>;

const isObject = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** A field by name; as in upstream's decoder an exact match wins, then one of other case. */
function field(fields: Fields, name: string): unknown {
  if (Object.hasOwn(fields, name)) return fields[name];
  const key = Object.keys(fields).find((each) => each.toLowerCase() === name.toLowerCase());
  return key === undefined ? undefined : fields[key];
}

function textField(fields: Fields, name: string, where: string): string {
  const value = field(fields, name) ?? '';
  if (typeof value !== 'string') throw new DockerConfigError(`${where}: field ${name} isn't a string`);
  return value;
}

/** `auth` is base64 of `username:password`, with or without padding; line breaks in it don't count. */
function decodeAuth(auth: string, where: string): [username: string, password: string] {
  const text = auth.replaceAll(/[\r\n]/g, '');
  const padded = text.endsWith('=');
  const complete = padded ? text.length % 4 === 0 : text.length % 4 !== 1;
  if (!complete || !/^[A-Za-z0-9+/]*={0,2}$/.test(text)) {
    throw new DockerConfigError(`${where}: field auth isn't base64`);
  }
  const decoded = Buffer.from(text, 'base64').toString('utf8');
  const colon = decoded.indexOf(':');
  if (colon < 0) throw new DockerConfigError(`${where}: field auth isn't base64(username:password)`);
  return [decoded.slice(0, colon), decoded.slice(colon + 1)];
}

function parseLogin(value: unknown, where: string): RegistryLogin {
  const fields = value ?? {};
  if (!isObject(fields)) throw new DockerConfigError(`${where} isn't an object`);
  const auth = textField(fields, 'auth', where);
  const plain: [string, string] = [
    textField(fields, 'username', where),
    textField(fields, 'password', where),
  ];
  const [username, password] = auth === '' ? plain : decodeAuth(auth, where);
  const identityToken = textField(fields, 'identitytoken', where);
  return {
    // An identity token stands in for the password; with a user name beside it runtimes would not look at it.
    username: identityToken === '' ? username : '',
    password: identityToken === '' ? password : '',
    email: textField(fields, 'email', where),
    identityToken,
    registryToken: textField(fields, 'registrytoken', where),
  };
}

function parseObject(text: string): Fields {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // The parser's own message quotes the text, so it can't even be the cause.
    throw new DockerConfigError("isn't valid JSON");
  }
  if (!isObject(value)) throw new DockerConfigError("isn't a JSON object");
  return value;
}

function parseLogins(value: unknown, what: string): Map<string, RegistryLogin> {
  if (!isObject(value)) throw new DockerConfigError(`${what} isn't an object`);
  // Entries are counted, not named: a registry's address may hold a password too.
  return new Map(
    Object.entries(value).map(([registry, login], index) => [
      registry,
      parseLogin(login, `entry ${index + 1} of ${what}`),
    ]),
  );
}

/** Reads `config.json`. One bad entry makes the whole file invalid, as upstream. Throws DockerConfigError. */
export function parseDockerConfigJson(text: string): DockerConfig {
  const config = parseObject(text);
  const auths = field(config, 'auths') ?? {};
  const ignored = ['credHelpers', 'credsStore'].filter((name) => {
    const value = field(config, name) ?? '';
    return isObject(value) ? Object.keys(value).length > 0 : value !== '';
  });
  return { logins: parseLogins(auths, 'auths'), ignored };
}

/** Reads `.dockercfg`. Throws DockerConfigError. */
export function parseDockercfg(text: string): DockerConfig {
  return { logins: parseLogins(parseObject(text), 'the file'), ignored: [] };
}
