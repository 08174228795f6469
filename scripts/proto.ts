/**
 * Turns src/cri/grpc/runtime.v1.proto into runtime.v1.json beside it, which the agent reads (src/cri/grpc/schema.ts):
 * parsing a .proto at every start would cost time and memory. A unit test says when the two don't agree.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { format } from 'node:util';
import type { SchemaData } from '#cri/grpc/schema.ts';

interface ProtoField {
  id: number;
  name: string;
  type: string;
  repeated: boolean;
  map: boolean;
  keyType?: string;
}
interface ProtoNode {
  name: string;
  nestedArray?: ProtoNode[];
  fieldsArray?: ProtoField[];
  values?: Record<string, number>;
  methodsArray?: { name: string; requestType: string; responseType: string; responseStream?: boolean }[];
}
interface Protobuf {
  parse(
    source: string,
    options: { keepCase: boolean },
  ): {
    package: string;
    root: { resolveAll(): void; lookup(path: string): ProtoNode };
  };
}

const folder = new URL('../src/cri/grpc/', import.meta.url);
export const schemaFile = fileURLToPath(new URL('runtime.v1.json', folder));

/** The schema of the .proto file as it stands. */
export async function readProto(): Promise<SchemaData> {
  // The parser that @grpc/proto-loader brings along; npm may have put it inside that package's own folder.
  const loader = createRequire(createRequire(import.meta.url).resolve('@grpc/proto-loader'));
  const protobuf = loader('protobufjs') as Protobuf;
  const source = await readFile(new URL('runtime.v1.proto', folder), 'utf8');
  const parsed = protobuf.parse(source, { keepCase: false });
  parsed.root.resolveAll();
  const schema: SchemaData = { package: parsed.package, enums: {}, messages: {}, services: {} };
  for (const node of parsed.root.lookup(parsed.package).nestedArray ?? []) add(schema, node);
  return schema;
}

function add(schema: SchemaData, node: ProtoNode): void {
  if (node.methodsArray !== undefined) {
    schema.services[node.name] = Object.fromEntries(
      node.methodsArray.map((method) => [
        method.name,
        [method.requestType, method.responseType, ...(method.responseStream === true ? ['stream'] : [])],
      ]),
    );
  } else if (node.values !== undefined) {
    const names = Object.keys(node.values);
    names.forEach((name, number) =>
      expect(node.values?.[name] === number, `${node.name} has a gap at`, name),
    );
    schema.enums[node.name] = names;
  } else if (node.fieldsArray !== undefined) {
    schema.messages[node.name] = Object.fromEntries(
      node.fieldsArray.map((field) => {
        if (field.map) {
          expect(
            field.keyType === 'string' && field.type === 'string',
            'not map<string, string>:',
            field.name,
          );
          return [field.id, [field.name, 'map']];
        }
        return [field.id, [field.name, field.type, ...(field.repeated ? ['repeated'] : [])]];
      }),
    );
    for (const inner of node.nestedArray ?? []) add(schema, inner);
  }
}

function expect(holds: boolean, ...words: string[]): void {
  if (!holds) throw new Error(format(...words));
}

export const renderSchema = (schema: SchemaData): string => `${JSON.stringify(schema)}\n`;

if (import.meta.main) await writeFile(schemaFile, renderSchema(await readProto()));
