import { MissingProgramsError, findPrograms } from '#cri/containerd/programs.ts';
import { findProgram, programFolders } from '#host/find-program.ts';
import { findProcesses } from '#host/processes.ts';
import { socketAnswers } from '#host/socket.ts';
import { basename } from 'node:path';
import { fail, ok, warn, type Check, type Finding } from './check.ts';

const answerMs = 2000;

export const checkRuntime: Check = async ({ runtimeEndpoint }) => {
  if (runtimeEndpoint !== undefined) {
    const path = runtimeEndpoint.replace(/^unix:\/\//, '');
    return (await socketAnswers(path, answerMs))
      ? [ok(`runtime answers at ${path}`)]
      : [
          fail(
            `no runtime answers at ${path}`,
            'start it, or name its socket with --container-runtime-endpoint',
          ),
        ];
  }
  try {
    const { containerd, runc, cniPlugins } = await findPrograms();
    return [ok(`containerd ${containerd}`), ok(`runc ${runc}`), ok(`CNI plugins ${cniPlugins}`)];
  } catch (error) {
    if (!(error instanceof MissingProgramsError)) throw error;
    return [fail(error.message, `apt-get install ${error.packages.join(' ')}`)];
  }
};

export const checkPrograms: Check = async () => {
  const folders = programFolders(process.env['PATH']);
  const findings: Finding[] = [];
  for (const [program, debian, loss] of [
    ['mount', 'mount', undefined],
    ['conntrack', 'conntrack', 'only the proxy role needs it'],
  ] as const) {
    const path = await findProgram(program, folders);
    if (path !== undefined) findings.push(ok(`${program} ${path}`));
    else if (loss === undefined) findings.push(fail(`${program} is missing`, `apt-get install ${debian}`));
    else findings.push(warn(`${program} is missing`, `apt-get install ${debian} (${loss})`));
  }
  return findings;
};

/** Whether another agent already does this node's work. */
export const checkOthers: Check = async ({ mode, socket }) => {
  const findings: Finding[] = [];
  const kubelets = await findProcesses(([program = '']) => basename(program) === 'kubelet');
  for (const { pid } of kubelets) {
    const what = `a kubelet runs (process ${pid})`;
    const mend = 'stop it first: systemctl stop kubelet';
    // Standalone pods live beside a cluster's: another directory, another runtime.
    findings.push(mode === 'kubelet' ? fail(what, mend) : warn(what, 'its pods and these share the machine'));
  }
  if (await socketAnswers(socket, answerMs)) {
    findings.push(fail(`a nodelet serves ${socket}`, 'stop it first, or choose another --socket'));
  }
  return findings.length === 0 ? [ok('no other agent runs')] : findings;
};
