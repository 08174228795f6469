import { kubernetesVersion, nodeletVersion } from '#config/version.ts';

/** What `kubelet --version` and `kube-proxy --version` print; kubeadm reads exactly this line. */
export const versionLine = (raw: boolean): string =>
  raw
    ? `version.Info{GitVersion:"${kubernetesVersion}", Platform:"linux/${process.arch}", Agent:"nodelet v${nodeletVersion}"}\n`
    : `Kubernetes ${kubernetesVersion}\n`;
