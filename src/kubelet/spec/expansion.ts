/**
 * Replaces `$(NAME)` by the variable's value. `$$` stands for one `$` and keeps what follows from being a reference;
 * a reference to nothing, and a `$` before anything else, stay as they are.
 */
export function expand(text: string, variables: Pick<ReadonlyMap<string, string>, 'get'>): string {
  let result = '';
  for (let at = 0; at < text.length;) {
    const dollar = text.indexOf('$', at);
    if (dollar < 0 || dollar === text.length - 1) return result + text.slice(at);
    result += text.slice(at, dollar);
    const next = text[dollar + 1];
    const close = next === '(' ? text.indexOf(')', dollar + 2) : -1;
    if (next === '$') {
      result += '$';
      at = dollar + 2;
    } else if (close >= 0) {
      const name = text.slice(dollar + 2, close);
      result += variables.get(name) ?? `$(${name})`;
      at = close + 1;
    } else {
      result += next === '(' ? '$(' : `$${next}`;
      at = dollar + 2;
    }
  }
  return result;
}
