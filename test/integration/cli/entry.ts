/** The command line without its daemons, as a program: what the tests start. */
import { runCli } from '#cli/run.ts';

const none = (): Promise<number> => Promise.reject(new Error('no daemon here'));
process.exit(await runCli(process.argv.slice(2), 'nodelet', { standalone: none, kubelet: none }));
