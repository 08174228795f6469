import { HostPathPlugin } from '../host-path.ts';
import type { PersistentKind } from './source.ts';

const plugin = new HostPathPlugin();

/** A PersistentVolume that is a path of the node, for tests of clusters with one node. fsGroup is not applied to it. */
export const hostPathKind: PersistentKind = {
  kind: 'hostPath',
  directory: undefined,
  setUp: async (request) => {
    const { hostPath } = request.bound.spec;
    const volume = { name: request.volume.name, ...(hostPath === undefined ? {} : { hostPath }) };
    const ready = await plugin.setUp({ ...request, volume });
    const isDevice = request.bound.spec.volumeMode === 'Block';
    return { ...ready, readOnly: request.readOnly, ...(isDevice ? { isDevice } : {}) };
  },
};
