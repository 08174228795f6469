import { NotFoundError } from '#lib/errors.ts';
import type { Event, Node, Pod } from '#lib/kube/types.ts';
import type {
  AppliedView,
  ExecOptions,
  LogOptions,
  ManifestProblem,
  NodeView,
  ObjectView,
  PodView,
  UsageView,
} from '../view.ts';

export const podView = (namespace: string, name: string, pod: Partial<Pod> = {}): PodView => ({
  pod: {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { namespace, name, uid: `uid-${name}` },
    spec: { containers: [{ name: 'app', image: 'busybox' }], nodeName: 'node' },
    ...pod,
  },
  waits: [],
  origin: 'test',
  terminating: false,
});

/** A NodeView in memory; tests set its fields and read what was asked of it. */
export class FakeView implements NodeView {
  podViews: PodView[] = [];
  eventList: Event[] = [];
  problemList: ManifestProblem[] = [];
  usageList: UsageView[] = [];
  objectList: ObjectView[] = [];
  deletedObjects: string[] = [];
  nodeObject: Node = { apiVersion: 'v1', kind: 'Node', metadata: { name: 'node' } };
  streamUrl = 'http://127.0.0.1:1/exec/token';
  execError: Error | undefined;
  applied: string[] = [];
  deleted: { namespace: string; name: string; grace: number | undefined }[] = [];
  lastExec: ExecOptions | undefined;
  lastLogs: LogOptions | undefined;
  /** What `logs` yields; by default two lines and the end. */
  log: (options: LogOptions, signal: AbortSignal) => AsyncIterable<Buffer> = async function* lines() {
    yield Buffer.from('one\n');
    yield Buffer.from('two\n');
  };

  node(): Node {
    return this.nodeObject;
  }

  pods(): PodView[] {
    return this.podViews;
  }

  pod(namespace: string, name: string): PodView {
    const found = this.podViews.find(
      ({ pod }) => pod.metadata?.namespace === namespace && pod.metadata.name === name,
    );
    if (found === undefined) throw new NotFoundError(`pods "${name}" not found`);
    return found;
  }

  events(pod?: { namespace: string; name: string }): Event[] {
    return this.eventList.filter((event) => pod === undefined || event.involvedObject.name === pod.name);
  }

  problems(): ManifestProblem[] {
    return this.problemList;
  }

  objects(kind: ObjectView['kind']): ObjectView[] {
    return this.objectList.filter((each) => each.kind === kind);
  }

  usage(): Promise<UsageView[]> {
    return Promise.resolve(this.usageList);
  }

  logs(namespace: string, name: string, options: LogOptions, signal: AbortSignal): AsyncIterable<Buffer> {
    this.pod(namespace, name);
    this.lastLogs = options;
    return this.log(options, signal);
  }

  exec(namespace: string, name: string, options: ExecOptions): Promise<string> {
    this.lastExec = options;
    if (this.execError !== undefined) return Promise.reject(this.execError);
    this.pod(namespace, name);
    return Promise.resolve(this.streamUrl);
  }

  apply(manifests: string): Promise<AppliedView[]> {
    this.applied.push(manifests);
    return Promise.resolve([{ namespace: 'default', name: 'web', kind: 'Pod', result: 'created' }]);
  }

  deleteObject(kind: ObjectView['kind'], namespace: string, name: string): Promise<void> {
    this.deletedObjects.push(`${kind} ${namespace}/${name}`);
    return Promise.resolve();
  }

  deletePod(namespace: string, name: string, grace: number | undefined): Promise<void> {
    this.pod(namespace, name);
    this.deleted.push({ namespace, name, grace });
    return Promise.resolve();
  }
}
