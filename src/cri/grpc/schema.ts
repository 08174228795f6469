import { InternalError } from '#lib/errors.ts';
import { Reader, WIRE, Writer } from './wire.ts';

/**
 * What scripts/proto.ts makes of a .proto file. A field is [name, type] or [name, type, 'repeated']; a type is one
 * of the scalars, the name of a message or enum, or `map` (string to string, the only kind that CRI has). Enums list
 * their names by number; a method is [request, response] or [request, response, 'stream'].
 */
export interface SchemaData {
  package: string;
  enums: Record<string, string[]>;
  messages: Record<string, Record<string, string[]>>;
  services: Record<string, Record<string, string[]>>;
}

export interface Method {
  /** Of the HTTP/2 request: `/runtime.v1.RuntimeService/Version`. */
  path: string;
  encode: (message: object) => Buffer;
  decode: (buffer: Buffer) => object;
}

type Fields = Record<string, unknown>;

interface Scalar {
  wire: number;
  empty: unknown;
  write: (writer: Writer, value: never) => void;
  read: (reader: Reader) => unknown;
}

interface Field {
  id: number;
  name: string;
  type: string;
  /** Undefined for maps and messages. */
  scalar: Scalar | undefined;
  repeated: boolean;
}

interface Message {
  byId: Map<number, Field>;
  /**
   * CRI's Int64Value and the like, which exist to tell 0 from nothing, are here plainly their one field's value:
   * this is that field's name.
   */
  wraps: string | undefined;
}

const integer = (read: (reader: Reader) => number): Scalar => ({
  wire: WIRE.varint,
  empty: 0,
  write: (writer, value: number) => writer.varint(value),
  read,
});

const SCALARS: Record<string, Scalar> = {
  int32: integer((reader) => reader.signed() | 0),
  uint32: integer((reader) => reader.unsigned() >>> 0),
  int64: integer((reader) => reader.signed()),
  uint64: integer((reader) => reader.unsigned()),
  bool: {
    wire: WIRE.varint,
    empty: false,
    write: (writer, value: boolean) => writer.varint(value ? 1 : 0),
    read: (reader) => reader.unsigned() !== 0,
  },
  double: {
    wire: WIRE.fixed64,
    empty: 0,
    write: (writer, value: number) => writer.double(value),
    read: (reader) => reader.double(),
  },
  string: {
    wire: WIRE.bytes,
    empty: '',
    write: (writer, value: string) => writer.string(value),
    read: (reader) => reader.string(),
  },
  bytes: {
    wire: WIRE.bytes,
    empty: Buffer.alloc(0),
    write: (writer, value: string | Uint8Array) =>
      typeof value === 'string' ? writer.string(value) : writer.bytes(value),
    read: (reader) => reader.bytes(),
  },
};

/**
 * Turns plain objects into protobuf messages and back, by a table. A general library generates code for each message
 * at run time, which costs the agent 18 MB and 50 ms for the same work.
 *
 * Decoded objects have every scalar, list and map (0, '', false, [], {} where the message says nothing); messages
 * within are left out where they are absent. Integers of 64 bits are numbers, enums their names.
 */
export class Schema {
  readonly #package: string;
  readonly #services: SchemaData['services'];
  readonly #messages = new Map<string, Message>();

  constructor(data: SchemaData) {
    this.#package = data.package;
    this.#services = data.services;
    const scalars = new Map(Object.entries(SCALARS));
    for (const [name, names] of Object.entries(data.enums)) scalars.set(name, enumOf(name, names));
    for (const [message, fields] of Object.entries(data.messages)) {
      const byId = new Map<number, Field>();
      for (const [id, [name = '', type = '', label]] of Object.entries(fields)) {
        const field = {
          id: Number(id),
          name,
          type,
          scalar: scalars.get(type),
          repeated: label === 'repeated',
        };
        byId.set(field.id, field);
      }
      const wraps = /^(U?Int64|.*State)Value$/.test(message) ? fields['1']?.[0] : undefined;
      this.#messages.set(message, { byId, wraps });
    }
  }

  method(service: string, verb: string): Method {
    const [request, response] = this.#services[service]?.[verb] ?? [];
    if (request === undefined || response === undefined) {
      throw new InternalError(`the schema has no ${service}/${verb}`);
    }
    return {
      path: `/${this.#package}.${service}/${verb}`,
      encode: (message) => this.#encode(request, message),
      decode: (buffer) => this.#decode(response, new Reader(buffer)) as object,
    };
  }

  #encode(type: string, value: unknown): Buffer {
    const message = this.#message(type);
    const given = (message.wraps === undefined ? value : { [message.wraps]: value }) as Fields;
    const writer = new Writer();
    for (const field of message.byId.values()) {
      const item = given[field.name];
      if (item === undefined || item === null) continue;
      if (field.type === 'map') writeMap(writer, field.id, item as Record<string, string>);
      else if (field.repeated) this.#writeAll(writer, field, item as unknown[]);
      else this.#writeOne(writer, field, item);
    }
    return writer.finish();
  }

  #decode(type: string, reader: Reader): unknown {
    const message = this.#message(type);
    const made: Fields = {};
    for (const field of message.byId.values()) {
      if (field.type === 'map') made[field.name] = {};
      else if (field.repeated) made[field.name] = [];
      else if (field.scalar !== undefined) made[field.name] = field.scalar.empty;
    }
    while (!reader.done) {
      const tag = reader.unsigned();
      const wire = tag % 8;
      const field = message.byId.get(Math.floor(tag / 8));
      if (field === undefined) reader.skip(wire);
      else this.#readField(reader, field, wire, made);
    }
    return message.wraps === undefined ? made : made[message.wraps];
  }

  #readField(reader: Reader, field: Field, wire: number, made: Fields): void {
    if (field.type === 'map') {
      readMap(reader.message(), made[field.name] as Record<string, string>);
      return;
    }
    const { scalar } = field;
    const list = field.repeated ? (made[field.name] as unknown[]) : undefined;
    if (scalar === undefined) {
      const item = this.#decode(field.type, reader.message());
      if (list === undefined) made[field.name] = item;
      else list.push(item);
    } else if (list === undefined) {
      made[field.name] = scalar.read(reader);
    } else if (wire === WIRE.bytes && scalar.wire !== WIRE.bytes) {
      // Lists of numbers come packed into one field.
      const packed = reader.message();
      while (!packed.done) list.push(scalar.read(packed));
    } else list.push(scalar.read(reader));
  }

  #writeOne(writer: Writer, field: Field, item: unknown): void {
    const { scalar } = field;
    if (scalar === undefined) {
      writer.tag(field.id, WIRE.bytes);
      writer.bytes(this.#encode(field.type, item));
    } else if (item !== scalar.empty) {
      writer.tag(field.id, scalar.wire);
      scalar.write(writer, item as never);
    }
  }

  #writeAll(writer: Writer, field: Field, items: readonly unknown[]): void {
    const { scalar } = field;
    if (scalar !== undefined && scalar.wire !== WIRE.bytes) {
      if (items.length === 0) return;
      const packed = new Writer();
      for (const item of items) scalar.write(packed, item as never);
      writer.tag(field.id, WIRE.bytes);
      writer.bytes(packed.finish());
      return;
    }
    for (const item of items) {
      writer.tag(field.id, WIRE.bytes);
      if (scalar === undefined) writer.bytes(this.#encode(field.type, item));
      else scalar.write(writer, item as never);
    }
  }

  #message(type: string): Message {
    const message = this.#messages.get(type);
    if (message === undefined) throw new InternalError(`the schema has no message ${type}`);
    return message;
  }
}

/** A number that a newer runtime may add comes as its digits. */
function enumOf(type: string, names: readonly string[]): Scalar {
  const numbers = new Map(names.map((name, number) => [name, number]));
  return {
    wire: WIRE.varint,
    empty: names[0],
    write: (writer, value: string) => {
      const number = numbers.get(value);
      if (number === undefined) throw new InternalError(`${type} has no ${value}`);
      writer.varint(number);
    },
    read: (reader) => {
      const number = reader.signed() | 0;
      return names[number] ?? String(number);
    },
  };
}

function writeMap(writer: Writer, id: number, map: Readonly<Record<string, string>>): void {
  for (const [key, value] of Object.entries(map)) {
    const entry = new Writer();
    entry.tag(1, WIRE.bytes);
    entry.string(key);
    entry.tag(2, WIRE.bytes);
    entry.string(value);
    writer.tag(id, WIRE.bytes);
    writer.bytes(entry.finish());
  }
}

function readMap(reader: Reader, into: Record<string, string>): void {
  let [key, value] = ['', ''];
  while (!reader.done) {
    const tag = reader.unsigned();
    if (tag === 10) key = reader.string();
    else if (tag === 18) value = reader.string();
    else reader.skip(tag % 8);
  }
  // Assigning it would set the object's prototype instead: annotations' names are outside data.
  if (key === '__proto__') Object.defineProperty(into, key, { value, enumerable: true });
  else into[key] = value;
}
