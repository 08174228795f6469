/**
 * What a YAML scalar means. Kubernetes reads YAML with YAML 1.1's words for booleans and its octal numbers, though the
 * syntax around them is 1.2's; this follows goyaml.v2, on which sigs.k8s.io/yaml is built.
 */
const TRUE = new Set(['y', 'Y', 'yes', 'Yes', 'YES', 'true', 'True', 'TRUE', 'on', 'On', 'ON']);
const FALSE = new Set(['n', 'N', 'no', 'No', 'NO', 'false', 'False', 'FALSE', 'off', 'Off', 'OFF']);
const NULL = new Set(['', '~', 'null', 'Null', 'NULL']);
const DECIMAL = /^[-+]?(0|[1-9]\d*)$/;
const OCTAL = /^([-+]?)0[oO]?([0-7]+)$/;
const HEX = /^([-+]?)0[xX]([0-9a-fA-F]+)$/;
const BINARY = /^([-+]?)0[bB]([01]+)$/;
const FLOAT = /^[-+]?(\.\d+|\d+(\.\d*)?)([eE][-+]?\d+)?$/;

/** The value of a plain (unquoted) scalar. Infinity and NaN have no JSON, so their words stay text. */
export function plainScalar(text: string): string | number | boolean | null {
  if (NULL.has(text)) return null;
  if (TRUE.has(text)) return true;
  if (FALSE.has(text)) return false;
  return number(text) ?? text;
}

function number(text: string): number | undefined {
  if (!/^[-+.\d]/.test(text)) return undefined;
  // Underscores may part the digits.
  const digits = text.replaceAll('_', '');
  if (DECIMAL.test(digits)) return Number(digits);
  for (const [shape, base] of [
    [OCTAL, 8],
    [HEX, 16],
    [BINARY, 2],
  ] as const) {
    const [, sign, magnitude] = shape.exec(digits) ?? [];
    if (magnitude !== undefined) return Number.parseInt(magnitude, base) * (sign === '-' ? -1 : 1);
  }
  const float = FLOAT.test(digits) ? Number(digits) : Number.NaN;
  return Number.isFinite(float) ? float : undefined;
}

/** The value of a scalar with an explicit tag such as `!!str`; undefined where the tag says nothing known. */
export function taggedScalar(tag: string, text: string): string | number | boolean | null | undefined {
  switch (tag) {
    case 'tag:yaml.org,2002:str':
      return text;
    case 'tag:yaml.org,2002:binary':
      return Buffer.from(text, 'base64').toString();
    case 'tag:yaml.org,2002:int':
    case 'tag:yaml.org,2002:float':
    case 'tag:yaml.org,2002:bool':
    case 'tag:yaml.org,2002:null':
      return plainScalar(text);
    default:
      return undefined;
  }
}
