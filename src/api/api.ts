import type { Clock } from '#lib/clock.ts';
import type { InformerFactory, KubeClient, ObjectWatches } from '#lib/kube/client.ts';
import type { Logger } from '#lib/logger.ts';
import type { MetricsRegistry } from '#lib/metrics.ts';
import { ClientMetrics } from './client/client-metrics.ts';
import { ConnectionError } from './client/connection.ts';
import { Exchanger } from './client/exchange.ts';
import { HttpKubeClient } from './client/http-kube-client.ts';
import { ServerReturn } from './client/server-return.ts';
import { Transport } from './client/transport.ts';
import type { TransportOptions } from './client/transport.ts';
import { watchStream } from './client/watch-stream.ts';
import type { ListWatchClient } from './client/watch-stream.ts';
import type { Credentials } from './credentials.ts';
import { WatchingInformerFactory } from './informer/informer.ts';
import { InformerMetrics } from './informer/informer-metrics.ts';
import { SharedObjectWatches } from './object-watches/object-watches.ts';

export interface KubeApiOptions {
  credentials: Credentials;
  clock: Clock;
  logger: Logger;
  metrics: MetricsRegistry;
  /** `nodelet/VERSION (linux/amd64) kubernetes/v1.36`. */
  userAgent: string;
  /** Numbers from 0 up to, not including, 1. */
  random?: () => number;
  /** Milliseconds; for tests. */
  timing?: TransportOptions['timing'];
}

/** The API server, for the rest of the program. */
export interface KubeApi {
  client: KubeClient;
  informers: InformerFactory;
  watches: ObjectWatches;
  /** Ends all connections and watches; calls under way reject. */
  close(): void;
}

/** Connects nothing until the first call. */
export function createKubeApi(options: KubeApiOptions): KubeApi {
  const { credentials, clock, logger, metrics, userAgent, timing, random = Math.random } = options;
  const { server } = credentials;
  const transport = new Transport({ server, clock, ...(timing === undefined ? {} : { timing }) });
  const exchanger = new Exchanger({
    credentials,
    transport,
    clock,
    metrics: new ClientMetrics(metrics, server.host),
    userAgent,
  });
  const serverReturn = new ServerReturn(clock, random);
  const client = new HttpKubeClient({
    exchanger,
    clock,
    leaseAnswered: leaseGuard(transport, logger),
    answered: (isAnswered) => serverReturn.answered(isAnswered),
  });
  const unsubscribe = credentials.onTlsChange(() => transport.renew());
  const watching: ListWatchClient = {
    list: client.list.bind(client),
    watch: (resource, selection, watch) => watchStream({ exchanger, clock }, resource, selection, watch),
  };
  const informerMetrics = new InformerMetrics(metrics);
  const context = { client: watching, clock, random, logger, metrics: informerMetrics, serverReturn };
  const watches = new SharedObjectWatches(context);
  return {
    client,
    informers: new WatchingInformerFactory(context),
    watches,
    close: () => {
      unsubscribe();
      watches.close();
      transport.close();
    },
  };
}

/**
 * A lease that nobody answers in time means that the path to the server is dead, though no connection may have noticed:
 * the first time, all of them are given up; after that, only the lease's own.
 */
function leaseGuard(transport: Transport, logger: Logger): (inTime: boolean) => void {
  let missed = 0;
  return (inTime) => {
    missed = inTime ? 0 : missed + 1;
    if (inTime) return;
    const error = new ConnectionError('the API server did not answer a lease in time');
    if (missed > 1) transport.drop('lease', error);
    else {
      logger.warn({}, 'the API server did not answer a lease in time; connections are made anew');
      transport.dropAll(error);
    }
  };
}
