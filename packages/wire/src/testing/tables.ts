// Test support: the facts of the original wire tables (names, numbers, types), in a compact form that is kept in testdata/.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** `label`: none = no presence, optional = presence, repeated, map. */
export interface FieldFact {
  readonly number: number;
  readonly name: string;
  readonly type: string;
  readonly label: string;
  readonly packed: boolean;
  readonly oneof: string | null;
}
export interface WireTable {
  /** Message → fields by ascending number. */
  readonly messages: Readonly<Record<string, readonly FieldFact[]>>;
  /** Enum (nested ones with a dot) → value name → number. */
  readonly enums: Readonly<Record<string, Readonly<Record<string, number>>>>;
  /** Service → RPC → [request, response, server streaming, client streaming]. */
  readonly services: Readonly<Record<string, Readonly<Record<string, readonly [string, string, boolean, boolean]>>>>;
}

/** One field in one string, as testdata/ keeps it: `9 repeated double A_values packed`, `1 none X y oneof=z`. */
export function factToText(fact: FieldFact): string {
  const tail = `${fact.packed ? " packed" : ""}${fact.oneof === null ? "" : ` oneof=${fact.oneof}`}`;
  return `${fact.number} ${fact.label} ${fact.type} ${fact.name}${tail}`;
}

function factFromText(text: string): FieldFact {
  const [number, label, type, name, ...tail] = text.split(" ");
  const oneof = tail.find((word) => word.startsWith("oneof="))?.slice("oneof=".length) ?? null;
  return { number: Number(number), label: label!, type: type!, name: name!, packed: tail.includes("packed"), oneof };
}

/** A table of testdata/. */
export function readTable(
  name: "cuopt-wire-26.04" | "cuopt-wire-next" | "cuvis-wire" | "cuvis-wire-legacy",
): WireTable {
  const path = fileURLToPath(new URL(`../../testdata/${name}.json`, import.meta.url));
  const { messages, enums, services } = JSON.parse(readFileSync(path, "utf8")) as {
    messages: Record<string, string[]>;
    enums: WireTable["enums"];
    services: WireTable["services"];
  };
  const parsed = Object.entries(messages).map(([message, fields]) => [message, fields.map(factFromText)]);
  return { messages: Object.fromEntries(parsed), enums, services };
}

interface SourceField {
  readonly name: string;
  readonly number: number;
  readonly type: string;
  readonly label: string;
  readonly packed?: boolean;
  readonly oneof?: string;
  readonly mapKey?: string;
  readonly mapValue?: string;
}
interface SourceTable {
  readonly messages: Record<string, { readonly fields: readonly SourceField[] }>;
  readonly enums: WireTable["enums"];
  readonly services: Record<
    string,
    Record<string, { request: string; response: string; serverStreaming: boolean; clientStreaming: boolean }>
  >;
}

/** The facts of an original table. */
export function factsOf(source: SourceTable): WireTable {
  const messages: Record<string, FieldFact[]> = {};
  for (const [message, { fields }] of Object.entries(source.messages)) {
    messages[message] = fields
      .map((field) => ({
        number: field.number,
        name: field.name,
        type: field.label === "map" ? `map<${field.mapKey},${field.mapValue}>` : field.type,
        label: field.label,
        packed: field.packed === true,
        oneof: field.oneof ?? null,
      }))
      .sort((a, b) => a.number - b.number);
  }
  const services: Record<string, Record<string, [string, string, boolean, boolean]>> = {};
  for (const [service, rpcs] of Object.entries(source.services)) {
    services[service] = {};
    for (const [rpc, { request, response, serverStreaming, clientStreaming }] of Object.entries(rpcs)) {
      services[service][rpc] = [request, response, serverStreaming, clientStreaming];
    }
  }
  return { messages, enums: source.enums, services };
}

/** The folder of the original tables: SORTIE_SPEC, or ../shared/spec beside the repository; undefined if there is none. */
export function specFolder(): string | undefined {
  const beside = fileURLToPath(new URL("../../../../../shared/spec", import.meta.url));
  return [process.env["SORTIE_SPEC"], beside].find((folder) => folder && existsSync(join(folder, "cuopt-wire.json")));
}

/** Reads an original table. */
export function readSource(folder: string, file: string): WireTable {
  return factsOf(JSON.parse(readFileSync(join(folder, file), "utf8")) as SourceTable);
}
