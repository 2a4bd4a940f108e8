// Test support: the compiled schema as the same facts that the original tables give.
import { type DescField, type DescFile, type DescMessage, ScalarType } from "@bufbuild/protobuf";
import { FeatureSet_FieldPresence } from "@bufbuild/protobuf/wkt";
import type { FieldFact, WireTable } from "./tables.ts";

const local = (typeName: string, prefix: string) => typeName.slice(prefix.length);

function factOf(field: DescField, prefix: string): FieldFact {
  const presence = field.presence === FeatureSet_FieldPresence.EXPLICIT;
  const list = field.fieldKind === "list";
  return {
    number: field.number,
    name: field.name,
    type: typeOf(field, prefix),
    label:
      field.fieldKind === "map"
        ? "map"
        : list
          ? "repeated"
          : presence && field.fieldKind !== "message" && field.oneof === undefined
            ? "optional"
            : "none",
    packed: list && field.packed,
    oneof: field.oneof?.name ?? null,
  };
}

function typeOf(field: DescField, prefix: string): string {
  const scalar = (type: ScalarType) => ScalarType[type]!.toLowerCase();
  if (field.fieldKind === "map") {
    const value = field.message ? local(field.message.typeName, prefix) : scalar(field.scalar!);
    return `map<${scalar(field.mapKey)},${value}>`;
  }
  if (field.message) return local(field.message.typeName, prefix);
  if (field.enum) return local(field.enum.typeName, prefix);
  return scalar(field.scalar!);
}

/** @param prefix the package's name and a dot */
export function collect(files: readonly DescFile[], prefix: string): WireTable {
  const messages: Record<string, FieldFact[]> = {};
  const enums: Record<string, Record<string, number>> = {};
  const services: Record<string, Record<string, [string, string, boolean, boolean]>> = {};
  const addMessage = (message: DescMessage) => {
    messages[local(message.typeName, prefix)] = message.fields
      .map((field) => factOf(field, prefix))
      .sort((a, b) => a.number - b.number);
    for (const nested of message.nestedMessages) addMessage(nested);
    for (const nested of message.nestedEnums) {
      enums[local(nested.typeName, prefix)] = Object.fromEntries(
        nested.values.map((value) => [value.name, value.number]),
      );
    }
  };
  for (const file of files) {
    for (const message of file.messages) addMessage(message);
    for (const { typeName, values } of file.enums) {
      enums[local(typeName, prefix)] = Object.fromEntries(values.map((value) => [value.name, value.number]));
    }
    for (const service of file.services) {
      const rpcs: Record<string, [string, string, boolean, boolean]> = {};
      for (const { name, input, output, methodKind } of service.methods) {
        rpcs[name] = [
          local(input.typeName, prefix),
          local(output.typeName, prefix),
          methodKind === "server_streaming" || methodKind === "bidi_streaming",
          methodKind === "client_streaming" || methodKind === "bidi_streaming",
        ];
      }
      services[service.name] = rpcs;
    }
  }
  return { messages, enums, services };
}
