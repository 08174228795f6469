/** Bundles the agent into dist/: one entry that starts fast, and chunks for what is rarely needed. */
import { build } from 'esbuild';
import { rm } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
await rm(`${root}/dist`, { recursive: true, force: true });
await build({
  absWorkingDir: root,
  entryPoints: { nodelet: 'src/main.ts', 'x509-program': 'src/api/identity/x509-program.ts' },
  outdir: 'dist',
  outExtension: { '.js': '.mjs' },
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node24',
  sourcemap: 'linked',
  // grpc-js loads it only for calls that this program doesn't make.
  external: ['@grpc/proto-loader'],
  logLevel: 'warning',
  // CommonJS dependencies in an ES module bundle still call require() for Node's own modules.
  banner: {
    js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);",
  },
});
