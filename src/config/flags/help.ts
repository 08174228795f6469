import type { FlagSpec } from './flag.ts';

/** Breaks `text` into lines of at most `width` characters, at blanks. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line];
}

/** The flags as `--help` lists them; only those that do something. */
export function flagsHelp(specs: readonly FlagSpec[]): string {
  return specs
    .filter((spec) => spec.state === 'works')
    .map((spec) => {
      const short = spec.short === undefined ? '' : `-${spec.short}, `;
      const value = spec.type === 'bool' ? '' : ` ${spec.type}`;
      const initial = spec.default === '' || spec.default === 'false' ? '' : ` (default ${spec.default})`;
      const help = wrap(`${spec.help}${initial}`, 80);
      return [`  ${short}--${spec.name}${value}`, ...help.map((line) => `        ${line}`)].join('\n');
    })
    .join('\n');
}
