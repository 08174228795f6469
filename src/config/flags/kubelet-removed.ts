import type { FlagSpec, FlagType } from './flag.ts';

/** Flags by their names, parted by blanks. */
export const removedFlags = (program: string, type: FlagType, names: string): FlagSpec[] =>
  names
    .trim()
    .split(/\s+/)
    .map((name) => ({ name, type, default: '', help: `Removed from ${program}.`, state: 'removed' }));

/**
 * Flags that earlier kubelets had and old set-ups still carry. Types matter only for how many words a flag takes:
 * a removed boolean takes no value but with `=`, everything else takes one.
 */
export const removedKubeletFlags: readonly FlagSpec[] = [
  ...removedFlags(
    'kubelet',
    'bool',
    `add-dir-header allow-privileged alsologtostderr babysit-daemons configure-cbr0 containerized
     docker-only docker-tls enable-cadvisor-json-endpoints enable-custom-metrics
     experimental-check-node-capabilities-before-mount experimental-cgroups-per-qos experimental-dockershim
     experimental-fail-swap-on experimental-flannel-overlay experimental-kernel-memcg-notification
     experimental-logging-sanitization keep-terminated-pod-volumes logtostderr one-output
     really-crash-for-testing reconcile-cidr redirect-container-streaming register-schedulable
     require-kubeconfig skip-headers skip-log-headers`,
  ),
  ...removedFlags(
    'kubelet',
    'strings',
    `api-servers auth-path azure-container-registry-config bootstrap-checkpoint-path cadvisor-port
     chaos-chance cloud-config cni-bin-dir cni-cache-dir cni-conf-dir container-runtime
     docker docker-endpoint
     docker-env-metadata-whitelist docker-exec-handler docker-root docker-tls-ca docker-tls-cert docker-tls-key
     dynamic-config-dir experimental-bootstrap-kubeconfig experimental-dockershim-root-directory
     experimental-nvidia-gpus experimental-qos-reserved experimental-runtime-integration-type google-json-key
     host-ipc-sources host-network-sources host-pid-sources image-pull-progress-deadline init-config-dir
     iptables-drop-bit iptables-masquerade-bit log-backtrace-at log-dir log-file log-file-max-size
     low-diskspace-threshold-mb master-service-namespace network-plugin network-plugin-dir network-plugin-mtu
     non-masquerade-cidr outofdisk-transition-frequency
     pod-infra-container-image resource-container rkt-api-endpoint rkt-path rkt-stage1-image
     rkt-insecure-options seccomp-profile-root stderrthreshold system-container`,
  ),
];
