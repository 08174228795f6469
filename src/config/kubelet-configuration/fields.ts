import type { FieldSpec } from '../schema/field.ts';
import { nodeFields } from './fields-node.ts';
import { observabilityFields } from './fields-observability.ts';
import { podFields } from './fields-pods.ts';
import { resourceFields } from './fields-resources.ts';
import { serverFields } from './fields-server.ts';
import { sourceFields } from './fields-sources.ts';

/** Every field of KubeletConfiguration v1beta1 as of 1.36. */
export const kubeletFields: readonly FieldSpec[] = [
  ...sourceFields,
  ...nodeFields,
  ...serverFields,
  ...podFields,
  ...resourceFields,
  ...observabilityFields,
];

export const kubeletConfigurationKind = {
  apiVersion: 'kubelet.config.k8s.io/v1beta1',
  kind: 'KubeletConfiguration',
} as const;
