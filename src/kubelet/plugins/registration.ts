/** How plugins introduce themselves to a kubelet: the API of https://github.com/kubernetes/kubelet, pluginregistration/v1. */
import { Channel } from '#cri/grpc/channel.ts';
import type { SchemaData } from '#cri/grpc/schema.ts';

export interface PluginInfo {
  /** `CSIPlugin`, `DevicePlugin`, `DRAPlugin`. */
  type: string;
  name: string;
  /** Where its own service is; empty: at the socket that it registers with. */
  endpoint: string;
  supportedVersions: string[];
}

/** What takes plugins of one type. */
export interface PluginHandler {
  /** Rejects where the plugin can't be taken: it hears the message, and is asked again later. */
  register(plugin: PluginInfo, signal: AbortSignal): Promise<void>;
  /** Its socket is gone. Never rejects. */
  deregister(plugin: PluginInfo): Promise<void>;
}

export const registrationSchema: SchemaData = {
  package: 'pluginregistration',
  enums: {},
  messages: {
    Empty: {},
    PluginInfo: {
      1: ['type', 'string'],
      2: ['name', 'string'],
      3: ['endpoint', 'string'],
      4: ['supportedVersions', 'string', 'repeated'],
    },
    RegistrationStatus: { 1: ['pluginRegistered', 'bool'], 2: ['error', 'string'] },
  },
  services: {
    Registration: {
      GetInfo: ['Empty', 'PluginInfo'],
      NotifyRegistrationStatus: ['RegistrationStatus', 'Empty'],
    },
  },
};

const DEADLINE_MS = 5000;

/** One call each, on a connection of its own: a plugin's socket may be another's at the next. */
async function withChannel<T>(socket: string, work: (channel: Channel) => Promise<T>): Promise<T> {
  const channel = new Channel(socket, { schema: registrationSchema });
  try {
    return await work(channel);
  } finally {
    channel.close();
  }
}

export const pluginInfo = (socket: string, signal: AbortSignal): Promise<PluginInfo> =>
  withChannel(socket, async (channel) => {
    const options = { signal, deadlineMs: DEADLINE_MS };
    const info = await channel.call<PluginInfo>('Registration', 'GetInfo', {}, options);
    return { ...info, endpoint: info.endpoint === '' ? socket : info.endpoint };
  });

export const notifyPlugin = (socket: string, error: string | undefined, signal: AbortSignal): Promise<void> =>
  withChannel(socket, async (channel) => {
    const status = { pluginRegistered: error === undefined, error: error ?? '' };
    await channel.call('Registration', 'NotifyRegistrationStatus', status, {
      signal,
      deadlineMs: DEADLINE_MS,
    });
  });
