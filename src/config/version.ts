/** The Kubernetes version that the agent behaves as: what `kubelet --version` prints and the node reports. */
export const kubernetesVersion = 'v1.36.2';

export const nodeletVersion = '0.1.0';
