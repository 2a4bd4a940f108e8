// Whether a value fits a port, and an output an input: dtype first, then rank, then sizes.
import { PipelineError } from "../errors.ts";
import { DTYPES, type DType, formatShape, isTensor, type Value } from "../graph/tensor.ts";
import type { PortSpec, PortType } from "../nodes/node-type.ts";

const isTorch = (type: PortType): boolean => type === "any" || (DTYPES as readonly string[]).includes(type);

export function typesFit(a: PortType, b: PortType): boolean {
  if (isTorch(a) && isTorch(b)) return a === b || a === "any" || b === "any";
  return a === b;
}

/** What is wrong with joining two ports, or undefined. */
export function connectionFault(source: PortSpec, target: PortSpec): string | undefined {
  if (!typesFit(source.type, target.type)) return `Dtype mismatch: ${source.type} does not fit ${target.type}`;
  // A variadic list port takes any number of lists.
  if (source.shape.length !== target.shape.length) {
    return `Shape rank mismatch: ${formatShape(sizes(source))} does not fit ${formatShape(sizes(target))}`;
  }
  for (const [axis, size] of source.shape.entries()) {
    const other = target.shape[axis];
    if (typeof size === "number" && typeof other === "number" && size !== other) {
      return `Dimension ${axis} mismatch: ${size} does not fit ${other}`;
    }
  }
  return undefined;
}

/** Sizes as clients see them: -1 for any. */
export const sizes = (port: PortSpec): number[] => port.shape.map((size) => (typeof size === "number" ? size : -1));

/** The port type a value has by itself. */
export function typeOf(value: Value): PortType {
  if (isTensor(value)) return value.numpy ? `np-${value.dtype}` : value.dtype;
  if (typeof value === "string") return "text";
  if (Array.isArray(value)) return "list";
  if (typeof value === "number") return "int";
  return "dict";
}

/**
 * Checks a value against an input or output port.
 * @throws PipelineError "port-mismatch" naming node and port
 */
export function checkValue(value: Value, port: PortSpec, node: string): void {
  const shape = isTensor(value) ? value.shape : [];
  checkShape({ type: typeOf(value), shape }, port, node);
}

/** As above for what the graph knows of a value; unknown sizes pass. */
export function checkShape(
  found: { readonly type: PortType; readonly shape: readonly (number | string)[] },
  port: PortSpec,
  node: string,
): void {
  const refuse = (text: string): never => {
    throw new PipelineError("port-mismatch", `Node '${node}', port '${port.name}': ${text}`, { node, port: port.name });
  };
  if (!typesFit(found.type, port.type)) refuse(`Dtype mismatch: expected ${port.type}, got ${found.type}`);
  if (found.shape.length !== port.shape.length) {
    refuse(`Shape rank mismatch: expected ${formatShape(sizes(port))}, got ${formatShape(found.shape)}`);
  }
  for (const [axis, expected] of port.shape.entries()) {
    const size = found.shape[axis];
    if (typeof expected === "number" && typeof size === "number" && expected !== size) {
      refuse(`Dimension ${axis} mismatch: expected ${expected}, got ${size}`);
    }
  }
}

export const isDType = (type: PortType): type is DType => (DTYPES as readonly string[]).includes(type);
