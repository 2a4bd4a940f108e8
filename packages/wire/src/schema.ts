// Typed decoding of small messages by protobuf-es, with faults reported as ours: the library reads a value by its field's
// type whatever its wire type says.
import { type DescField, type DescMessage, fromBinary, type MessageShape, ScalarType } from "@bufbuild/protobuf";
import { WireFormatError } from "./errors.ts";
import { FieldScanner, WIRE_I32, WIRE_I64, WIRE_LEN, WIRE_VARINT } from "./fields.ts";

/**
 * Decodes a message that holds plain values only (embedded messages are not looked into).
 * @throws WireFormatError for malformed bytes or a wire type that does not fit its field
 */
export function decodeScalars<Desc extends DescMessage>(
  schema: Desc,
  bytes: Uint8Array,
  path: string,
): MessageShape<Desc> {
  const fields = new Map(schema.fields.map((field) => [field.number, field]));
  const scanner = new FieldScanner(bytes, path);
  while (scanner.next()) {
    const field = fields.get(scanner.number);
    if (field?.fieldKind === "scalar" || field?.fieldKind === "enum") scanner.expect(wireTypeOf(field), field.name);
  }
  try {
    return fromBinary(schema, bytes);
  } catch (cause) {
    const error = new WireFormatError(path, 0, cause instanceof Error ? cause.message : String(cause));
    error.cause = cause;
    throw error;
  }
}

function wireTypeOf(field: DescField): number {
  switch (field.scalar) {
    case ScalarType.DOUBLE:
    case ScalarType.FIXED64:
    case ScalarType.SFIXED64:
      return WIRE_I64;
    case ScalarType.FLOAT:
    case ScalarType.FIXED32:
    case ScalarType.SFIXED32:
      return WIRE_I32;
    case ScalarType.STRING:
    case ScalarType.BYTES:
      return WIRE_LEN;
    default:
      return WIRE_VARINT;
  }
}
