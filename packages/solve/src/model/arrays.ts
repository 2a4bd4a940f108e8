// The arrays that a model is made of: their names here and on the wire, their element types, and what their length follows.

/** The arrays of a model as a client sends them; an absent and an empty array mean the same. */
export interface RawArrays {
  /** A in compressed sparse row form: values, column of each value, and where each row starts (m + 1 entries). */
  readonly aValues?: Float64Array | undefined;
  readonly aIndices?: Int32Array | undefined;
  readonly aOffsets?: Int32Array | undefined;
  /** Objective coefficients; their number is the number of variables, n. */
  readonly c?: Float64Array | undefined;
  /** Right-hand side, m; read together with `rowTypes` when there are no row bounds. */
  readonly b?: Float64Array | undefined;
  readonly variableLower?: Float64Array | undefined;
  readonly variableUpper?: Float64Array | undefined;
  readonly rowLower?: Float64Array | undefined;
  readonly rowUpper?: Float64Array | undefined;
  /** One ASCII letter, E, L or G, for each row. */
  readonly rowTypes?: Uint8Array | undefined;
  /** One of `VariableType` for each variable. */
  readonly variableTypes?: Int32Array | undefined;
  readonly initialPrimal?: Float64Array | undefined;
  readonly initialDual?: Float64Array | undefined;
  readonly qValues?: Float64Array | undefined;
  readonly qIndices?: Int32Array | undefined;
  readonly qOffsets?: Int32Array | undefined;
}

export type ArrayName = keyof RawArrays;

export type ElementType = "float64" | "int32" | "uint8";

export interface ArrayDescription {
  /** The field of the wire's problem message; in upper case behind `FIELD_` it is the id of a chunked array. */
  readonly wireName: string;
  readonly element: ElementType;
}

/** Every array of a model, in the order of the wire's array ids. */
export const modelArrays = {
  aValues: { wireName: "A_values", element: "float64" },
  aIndices: { wireName: "A_indices", element: "int32" },
  aOffsets: { wireName: "A_offsets", element: "int32" },
  c: { wireName: "c", element: "float64" },
  b: { wireName: "b", element: "float64" },
  variableLower: { wireName: "variable_lower_bounds", element: "float64" },
  variableUpper: { wireName: "variable_upper_bounds", element: "float64" },
  rowLower: { wireName: "constraint_lower_bounds", element: "float64" },
  rowUpper: { wireName: "constraint_upper_bounds", element: "float64" },
  rowTypes: { wireName: "row_types", element: "uint8" },
  variableTypes: { wireName: "variable_types", element: "int32" },
  initialPrimal: { wireName: "initial_primal_solution", element: "float64" },
  initialDual: { wireName: "initial_dual_solution", element: "float64" },
  qValues: { wireName: "Q_values", element: "float64" },
  qIndices: { wireName: "Q_indices", element: "int32" },
  qOffsets: { wireName: "Q_offsets", element: "int32" },
} as const satisfies Record<ArrayName, ArrayDescription>;

export const arrayNames = Object.keys(modelArrays) as readonly ArrayName[];

/** The array of this name on the wire; undefined if a model has no such numeric array. */
export function arrayOfWireName(wireName: string): ArrayName | undefined {
  return arrayNames.find((name) => modelArrays[name].wireName === wireName);
}
