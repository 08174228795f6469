import { createHash } from 'node:crypto';
import { tar } from './tar.ts';
import type { TarEntry } from './tar.ts';

/** The part of an OCI image's configuration that says how to run it; names as in the specification. */
export interface ImageConfig {
  Entrypoint?: string[];
  Cmd?: string[];
  Env?: string[];
  User?: string;
  WorkingDir?: string;
  Labels?: Record<string, string>;
  Volumes?: Record<string, object>;
  ExposedPorts?: Record<string, object>;
  StopSignal?: string;
}

export interface Image {
  /** With host and tag, as manifests name it: `nodelet.local/busybox:1`. */
  name: string;
  config: ImageConfig;
  /** One list of files a layer, lowest first. */
  layers: TarEntry[][];
}

export interface BuiltImage {
  name: string;
  /** Of the manifest: what a registry and `image@sha256:…` call the image. */
  digest: string;
  /** Of the configuration: what runtimes call the image's ID. */
  id: string;
  /** An OCI image layout as a tar file, for `ctr images import` and skopeo's `oci-archive:`. */
  archive: Buffer;
}

const architectures: Partial<Record<NodeJS.Architecture, string>> = { x64: 'amd64', ia32: '386' };
const sha256 = (data: Uint8Array): string => createHash('sha256').update(data).digest('hex');
const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));

/** Builds the image for this machine's architecture. The same input gives the same digests. */
export function buildImage(image: Image): BuiltImage {
  const blobs = new Map<string, Buffer>();
  const blob = (mediaType: string, data: Buffer): { mediaType: string; digest: string; size: number } => {
    const hash = sha256(data);
    blobs.set(hash, data);
    return { mediaType, digest: `sha256:${hash}`, size: data.length };
  };
  // Uncompressed, so that a layer's digest is also its "diff ID" and does not depend on a compressor.
  const layers = image.layers.map((files) => blob('application/vnd.oci.image.layer.v1.tar', tar(files)));
  const config = blob(
    'application/vnd.oci.image.config.v1+json',
    json({
      created: '1970-01-01T00:00:00Z',
      architecture: architectures[process.arch] ?? process.arch,
      os: 'linux',
      config: image.config,
      rootfs: { type: 'layers', diff_ids: layers.map((layer) => layer.digest) },
      history: layers.map(() => ({ created: '1970-01-01T00:00:00Z', created_by: 'nodelet image maker' })),
    }),
  );
  const manifest = blob(
    'application/vnd.oci.image.manifest.v1+json',
    json({ schemaVersion: 2, mediaType: 'application/vnd.oci.image.manifest.v1+json', config, layers }),
  );
  const index = json({
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.index.v1+json',
    manifests: [
      {
        ...manifest,
        annotations: {
          'io.containerd.image.name': image.name,
          'org.opencontainers.image.ref.name': image.name.slice(image.name.lastIndexOf(':') + 1),
        },
      },
    ],
  });
  const archive = tar([
    { path: 'blobs', kind: 'directory' },
    { path: 'blobs/sha256', kind: 'directory' },
    ...[...blobs].map(([hash, data]) => ({ path: `blobs/sha256/${hash}`, kind: 'file' as const, data })),
    { path: 'index.json', kind: 'file', data: index },
    { path: 'oci-layout', kind: 'file', data: json({ imageLayoutVersion: '1.0.0' }) },
  ]);
  return { name: image.name, digest: manifest.digest, id: config.digest, archive };
}
