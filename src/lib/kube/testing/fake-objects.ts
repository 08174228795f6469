import type { Referenced, ReferencedObjects } from '../referenced.ts';
import type { ConfigMap, Secret } from '../types.ts';

/** ConfigMaps and Secrets by `NAMESPACE/NAME`, as a test sets them; Secrets' values are plain text. */
export class FakeObjects implements ReferencedObjects {
  readonly configMaps = new Map<string, ConfigMap>();
  readonly secrets = new Map<string, Record<string, string>>();
  /** Set: nothing is known of anything. */
  trouble: Error | undefined;

  configMap(namespace: string, name: string): Referenced<ConfigMap> {
    return this.#found(this.configMaps.get(`${namespace}/${name}`));
  }

  secret(namespace: string, name: string): Referenced<Secret> {
    const values = this.secrets.get(`${namespace}/${name}`);
    if (values === undefined) return this.#found<Secret>(undefined);
    const data = Object.entries(values).map(([key, text]): [string, string] => [
      key,
      Buffer.from(text).toString('base64'),
    ]);
    return this.#found<Secret>({ metadata: { namespace, name }, data: Object.fromEntries(data) });
  }

  #found<T>(object: T | undefined): Referenced<T> {
    if (this.trouble !== undefined) return { state: 'unknown', trouble: this.trouble };
    return object === undefined ? { state: 'absent' } : { state: 'present', object };
  }
}
