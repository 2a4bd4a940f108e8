// JSON Schema (draft 2020-12) of a model: keys in alphabetical order, nested models under $defs.
import type { Field, FieldType, Model } from "./model.ts";
import { type ConfigMap, type ConfigValue, Float } from "./values.ts";

type Schema = Record<string, ConfigValue>;

export function jsonSchema(root: Model): ConfigMap {
  const nested = new Map<string, Model>();
  collect(root, nested, root);
  const defs: ConfigMap = new Map(
    [...nested].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([name, model]) => [name, modelSchema(model)]),
  );
  const schema = modelSchema(root);
  if (defs.size > 0) schema.set("$defs", defs);
  return sorted(schema);
}

/** Alphabetical, but for properties and defaults, whose order means something. */
function sorted(schema: ConfigMap): ConfigMap {
  return new Map([...schema].toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

const mapOf = (schema: Schema): ConfigMap => sorted(new Map(Object.entries(schema)));

function collect(model: Model, found: Map<string, Model>, root: Model): void {
  const visit = (type: FieldType): void => {
    if (type.kind === "model") {
      const target = type.of();
      if (found.has(target.name) || target === root) return;
      found.set(target.name, target);
      collect(target, found, root);
    } else if (type.kind === "choose") visit(type.shown);
    else if (type.kind === "union" || type.kind === "tuple") type.of.forEach(visit);
    else if ("of" in type) visit(type.of);
  };
  for (const { type } of Object.values(model.fields)) visit(type);
}

function modelSchema(model: Model): ConfigMap {
  const fields = Object.entries(model.fields);
  const required = fields.filter(([, field]) => field.default === undefined).map(([name]) => name);
  return mapOf({
    title: model.name,
    type: "object",
    description: model.description,
    additionalProperties: false,
    properties: new Map(fields.map(([name, field]) => [name, fieldSchema(name, field)])),
    ...(required.length > 0 ? { required } : {}),
    ...(model.examples ? { examples: [...model.examples] } : {}),
  });
}

function fieldSchema(name: string, field: Field): ConfigMap {
  const fallback = field.default;
  return mapOf({
    ...typeSchema(field.type),
    ...(refers(field.type) ? {} : { title: title(name) }),
    description: field.description,
    ...(fallback !== undefined && typeof fallback !== "function" ? { default: fallback } : {}),
    ...field.hints,
  });
}

/** Fields that are a model take their title from it. */
const refers = (type: FieldType): boolean => type.kind === "model" || (type.kind === "nullable" && refers(type.of));

const title = (name: string): string =>
  name
    .split("_")
    .map((word) => word.slice(0, 1).toUpperCase() + word.slice(1).toLowerCase())
    .join(" ");

function typeSchema(type: FieldType): Schema {
  switch (type.kind) {
    case "int":
    case "float":
      return {
        type: type.kind === "int" ? "integer" : "number",
        ...bound("minimum", type.ge, type.kind),
        ...bound("maximum", type.le, type.kind),
        ...bound("exclusiveMinimum", type.gt, type.kind),
      };
    case "bool":
      return { type: "boolean" };
    case "text":
      return { type: "string" };
    case "duration":
      return { type: "string", format: "duration" };
    case "any":
      return {};
    case "object":
      return { type: "object", additionalProperties: true };
    case "texts":
      return { type: "object", additionalProperties: mapOf({ type: "string" }) };
    case "literal":
      return type.values.length === 1
        ? { type: "string", const: type.values[0]! }
        : { type: "string", enum: [...type.values] };
    case "nullable": {
      const inner = type.of.kind === "union" ? type.of.of : [type.of];
      return { anyOf: [...inner.map((member) => mapOf(typeSchema(member))), mapOf({ type: "null" })] };
    }
    case "union":
      return { anyOf: type.of.map((member) => mapOf(typeSchema(member))) };
    case "list":
      return { type: "array", items: mapOf(typeSchema(type.of)) };
    case "tuple":
      return {
        type: "array",
        minItems: type.of.length,
        maxItems: type.of.length,
        prefixItems: type.of.map((member) => mapOf(typeSchema(member))),
      };
    case "model":
      return { $ref: `#/$defs/${type.of().name}` };
    case "choose":
      return typeSchema(type.shown);
    case "checked":
    case "noMapping":
      return typeSchema(type.of);
  }
}

const bound = (word: string, value: number | undefined, kind: "int" | "float"): Schema =>
  value === undefined ? {} : { [word]: kind === "float" && !Number.isInteger(value) ? new Float(value) : value };
