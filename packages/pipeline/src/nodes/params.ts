// Hyper-parameters of a node: their types, bounds and defaults, and the checked values of one node.
import { PipelineError } from "../errors.ts";

export type ParamType = "int" | "float" | "bool" | "text" | "list" | "any";

export interface ParamSpec {
  readonly type: ParamType;
  /** Absent: the parameter is required. */
  readonly default?: unknown;
  readonly nullable?: boolean;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly exclusiveMaximum?: number;
  readonly choices?: readonly unknown[];
}

export type ParamSpecs = Readonly<Record<string, ParamSpec>>;
type Options = Omit<ParamSpec, "type">;

const spec =
  (type: ParamType) =>
  (options: Options = {}): ParamSpec => ({ type, ...options });
export const int = spec("int");
export const float = spec("float");
export const bool = spec("bool");
export const text = spec("text");
export const list = spec("list");
export const any = spec("any");

/** The checked hyper-parameters of one node. */
export class Params {
  readonly #values: ReadonlyMap<string, unknown>;

  constructor(values: ReadonlyMap<string, unknown>) {
    this.#values = values;
  }

  /** The value, or null. */
  get(name: string): unknown {
    return this.#values.get(name) ?? null;
  }
  num(name: string): number {
    return this.#values.get(name) as number;
  }
  numOrNull(name: string): number | null {
    return (this.#values.get(name) ?? null) as number | null;
  }
  flag(name: string): boolean {
    return this.#values.get(name) as boolean;
  }
  text(name: string): string {
    return this.#values.get(name) as string;
  }
  textOrNull(name: string): string | null {
    return (this.#values.get(name) ?? null) as string | null;
  }
  nums(name: string): readonly number[] {
    return this.#values.get(name) as readonly number[];
  }
  numsOrNull(name: string): readonly number[] | null {
    return (this.#values.get(name) ?? null) as readonly number[] | null;
  }
  /** Pairs such as wavelength windows. */
  pairs(name: string): readonly (readonly [number, number])[] {
    return this.#values.get(name) as readonly (readonly [number, number])[];
  }
}

/**
 * Checks hyper-parameters; unknown ones are left alone.
 * @throws PipelineError "invalid-argument" for a missing or wrongly typed one, "invalid-value" for one out of bounds
 */
export function readParams(specs: ParamSpecs, given: Readonly<Record<string, unknown>>, node: string): Params {
  const values = new Map<string, unknown>();
  for (const [name, spec] of Object.entries(specs)) {
    const value = given[name];
    if (value === undefined) {
      if (!("default" in spec)) {
        throw new PipelineError("invalid-argument", `Node '${node}': hyper-parameter '${name}' is required`, { node });
      }
      values.set(name, spec.default);
    } else {
      values.set(name, check(name, spec, value, node));
    }
  }
  return new Params(values);
}

const NAMES: Record<ParamType, string> = {
  int: "an integer",
  float: "a number",
  bool: "true or false",
  text: "a text",
  list: "a list",
  any: "a value",
};

function check(name: string, spec: ParamSpec, value: unknown, node: string): unknown {
  if (value === null) {
    if (spec.nullable || spec.default === null) return null;
    throw wrongType(name, spec, value, node);
  }
  const typed = convert(spec.type, value);
  if (typed === undefined) throw wrongType(name, spec, value, node);
  const refuse = (rule: string): never => {
    throw new PipelineError(
      "invalid-value",
      `Node '${node}': hyper-parameter '${name}' is ${JSON.stringify(value)}; it must be ${rule}`,
      { node },
    );
  };
  if (spec.choices && !spec.choices.includes(typed))
    refuse(`one of ${spec.choices.map((c) => JSON.stringify(c)).join(", ")}`);
  if (typeof typed === "number") {
    if (spec.minimum !== undefined && typed < spec.minimum) refuse(`at least ${spec.minimum}`);
    if (spec.maximum !== undefined && typed > spec.maximum) refuse(`at most ${spec.maximum}`);
    if (spec.exclusiveMinimum !== undefined && typed <= spec.exclusiveMinimum) refuse(`above ${spec.exclusiveMinimum}`);
    if (spec.exclusiveMaximum !== undefined && typed >= spec.exclusiveMaximum) refuse(`below ${spec.exclusiveMaximum}`);
  }
  return typed;
}

function convert(type: ParamType, value: unknown): unknown {
  switch (type) {
    case "int":
      return typeof value === "number" && Number.isInteger(value) ? value : undefined;
    case "float":
      if (typeof value === "number") return value;
      // YAML 1.1 readers leave 1e-3 a text.
      if (typeof value === "string" && /^[+-]?[0-9.]+([eE][+-]?[0-9]+)?$/.test(value)) return Number(value);
      return undefined;
    case "bool":
      return typeof value === "boolean" ? value : value === 0 || value === 1 ? value === 1 : undefined;
    case "text":
      return typeof value === "string" ? value : undefined;
    case "list":
      return Array.isArray(value) ? value : undefined;
    default:
      return value;
  }
}

function wrongType(name: string, spec: ParamSpec, value: unknown, node: string): PipelineError {
  const found = value === null ? "null" : Array.isArray(value) ? "a list" : typeof value;
  return new PipelineError(
    "invalid-argument",
    `Node '${node}': hyper-parameter '${name}' is ${found}; it must be ${NAMES[spec.type]}`,
    { node },
  );
}
