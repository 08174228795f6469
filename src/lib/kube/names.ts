/**
 * The syntax of names in the Kubernetes API. Each function returns undefined for a good name and otherwise says what
 * is allowed, for a person. Rules: k8s.io/apimachinery/pkg/util/validation.
 */
const LABEL = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;
const SUBDOMAIN = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const SEARCH_DOMAIN = /^[a-z0-9_]([-_a-z0-9]*[a-z0-9])?(\.[a-z0-9_]([-_a-z0-9]*[a-z0-9])?)*$/;
const QUALIFIED = /^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$/;

export type NameCheck = (text: string) => string | undefined;

function checker(shape: RegExp, longest: number, allowed: string): NameCheck {
  return (text) => {
    if (text.length > longest) return `must have at most ${longest} characters (it has ${text.length})`;
    return shape.test(text) ? undefined : allowed;
  };
}

/** Container, volume, namespace, host names. */
export const dns1123Label = checker(
  LABEL,
  63,
  "must be lower case letters, digits and '-', beginning and ending with a letter or digit",
);

/** Most objects' names. */
export const dns1123Subdomain = checker(
  SUBDOMAIN,
  253,
  "must be lower case letters, digits, '-' and '.', each part beginning and ending with a letter or digit",
);

/** DNS search domains, which may hold underscores. */
export const searchDomain = checker(
  SEARCH_DOMAIN,
  253,
  "must be lower case letters, digits, '-', '_' and '.', each part ending with a letter or digit",
);

const qualifiedPart = checker(
  QUALIFIED,
  63,
  "must be letters, digits, '-', '_' and '.', beginning and ending with a letter or digit",
);

/** Keys of labels and annotations, resource names, conditions: `NAME` or `DOMAIN/NAME`. */
export function qualifiedName(text: string): string | undefined {
  const [first = '', second, ...more] = text.split('/');
  if (more.length > 0) return "must be NAME or DOMAIN/NAME, with one '/' at most";
  if (second === undefined) return text === '' ? 'must not be empty' : qualifiedPart(text);
  const domain = first === '' ? 'must not be empty' : dns1123Subdomain(first);
  if (domain !== undefined) return `the part before '/' ${domain}`;
  const name = second === '' ? 'must not be empty' : qualifiedPart(second);
  return name === undefined ? undefined : `the part after '/' ${name}`;
}

export const labelValue: NameCheck = (text) => (text === '' ? undefined : qualifiedPart(text));

export function portName(text: string): string | undefined {
  const good =
    /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/.test(text) &&
    /[a-z]/.test(text) &&
    !text.includes('--') &&
    text.length <= 15;
  return good
    ? undefined
    : "must be at most 15 lower case letters, digits and single '-' inside, with at least one letter";
}

/** Environment variables, and keys in files of them: printable ASCII without '='. */
export function envVarName(text: string): string | undefined {
  return /^[ -<>-~]+$/.test(text) ? undefined : "must be printable ASCII characters without '='";
}

export function httpHeaderName(text: string): string | undefined {
  return /^[-A-Za-z0-9]+$/.test(text) ? undefined : "must be letters, digits and '-'";
}

export function configKey(text: string): string | undefined {
  if (text === '.' || text.startsWith('..')) return "must not be '.' and must not begin with '..'";
  const good = /^[-._a-zA-Z0-9]+$/.test(text) && text.length <= 253;
  return good ? undefined : "must be at most 253 letters, digits, '-', '_' and '.'";
}

/** Sysctls, with '.' or '/' between the parts. */
export function sysctlName(text: string): string | undefined {
  const good =
    /^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$/.test(text) && text.length <= 253;
  return good
    ? undefined
    : "must be at most 253 lower case letters, digits, '-' and '_', in parts joined by '.' or '/'";
}
