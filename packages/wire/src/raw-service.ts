// Raw routes: how a handler gets a message undecoded, and answers with bytes it encoded itself.
//
// Connect decodes every request with the schema of its method, and that cannot be replaced. But a schema without fields
// decodes to a message that holds all fields as unknown ones: views into the body, nothing decoded. In the other direction
// unknown fields are written as they are. So a method whose message types are empty is a method on bytes.
import { create, type DescMessage, type DescMethod, type DescService, type Message } from "@bufbuild/protobuf";
import type { GenService, GenServiceMethods } from "@bufbuild/protobuf/codegenv2";
import { type Empty, EmptySchema } from "@bufbuild/protobuf/wkt";
import { FieldScanner, type RawField } from "./fields.ts";

/** Which sides of a method are raw. */
export interface RawSides {
  readonly input?: true;
  readonly output?: true;
}

/** The message type of a raw side. */
export type RawMessage = Empty;

type RawSide<Sides, Side extends "input" | "output", Typed> =
  Sides extends Record<Side, true> ? typeof EmptySchema : Typed;

/** A service with some of its messages raw. */
export type RawService<
  Methods extends GenServiceMethods,
  Raw extends { readonly [Name in keyof Methods]?: RawSides },
> = GenService<{
  [Name in keyof Methods]: {
    methodKind: Methods[Name]["methodKind"];
    input: RawSide<Raw[Name], "input", Methods[Name]["input"]>;
    output: RawSide<Raw[Name], "output", Methods[Name]["output"]>;
  };
}>;

/**
 * The same service (type name, method names, paths) with an empty message type on the given sides of the given methods.
 * Meant for binary messages: as JSON an empty type shows nothing.
 * @param raw by method name as in generated code: `{ submitJob: { input: true } }`
 * @throws TypeError if the service has no such method
 */
export function withRawMessages<
  Methods extends GenServiceMethods,
  const Raw extends { readonly [Name in keyof Methods]?: RawSides },
>(service: GenService<Methods>, raw: Raw): RawService<Methods, Raw> {
  const typed = service as unknown as DescService;
  for (const name of Object.keys(raw)) {
    if (typed.method[name] === undefined) throw new TypeError(`${typed.typeName} has no method ${name}`);
  }
  const methods: DescMethod[] = [];
  const method: Record<string, DescMethod> = {};
  const changed: DescService = { ...typed, methods, method };
  const sides = raw as Readonly<Record<string, RawSides | undefined>>;
  for (const original of typed.methods) {
    const { input, output } = sides[original.localName] ?? {};
    const empty: DescMessage = EmptySchema;
    const copy = {
      ...original,
      parent: changed,
      input: input ? empty : original.input,
      output: output ? empty : original.output,
    } as DescMethod;
    methods.push(copy);
    method[original.localName] = copy;
  }
  return changed as unknown as RawService<Methods, Raw>;
}

/** The top-level fields of a message that came in raw: views into the body. */
export function rawFields(message: Message): readonly RawField[] {
  return message.$unknown ?? [];
}

/**
 * A message that goes out as these bytes.
 * @param bytes an encoded message without groups, copied when it is sent and not before
 * @throws WireFormatError if the bytes are not a sequence of fields
 */
export function rawMessage(bytes: Uint8Array): RawMessage {
  const message = create(EmptySchema);
  const fields: RawField[] = [];
  const scanner = new FieldScanner(bytes, "message");
  while (scanner.next()) {
    fields.push({
      no: scanner.number,
      wireType: scanner.wireType,
      data: bytes.subarray(scanner.valueStart, scanner.end),
    });
  }
  message.$unknown = fields;
  return message;
}
