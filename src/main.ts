/** The program: the command line, with the daemon's roles loaded only when they are asked for. */
import { enableCompileCache } from 'node:module';
import { runCli } from '#cli/run.ts';

enableCompileCache();

const status = await runCli(process.argv.slice(2), process.env['NODELET_CALLED_AS'] ?? '', {
  standalone: async (options) => (await import('./compose/standalone.ts')).runStandalone(options),
  kubelet: async (options) => (await import('./compose/kubelet.ts')).runKubelet(options),
});
process.exit(status);
