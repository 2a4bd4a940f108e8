// The arrays of a chunked upload: their ids on the wire, names and element sizes.
import { type ArrayName, arrayNames, type ElementType, modelArrays } from "@sortie/solve";

export interface ArrayField {
  readonly id: number;
  /** Name of the problem message's field; the name of the array in the store. */
  readonly wireName: string;
  readonly element: ElementType;
  readonly elementBytes: number;
  /** Name in the model; undefined for the two blobs of names. */
  readonly modelName?: ArrayName | undefined;
}

const ELEMENT_BYTES = { float64: 8, int32: 4, uint8: 1 } as const satisfies Record<ElementType, number>;

export const VARIABLE_NAMES: ArrayField = { id: 0, wireName: "variable_names", element: "uint8", elementBytes: 1 };
export const ROW_NAMES: ArrayField = { id: 1, wireName: "row_names", element: "uint8", elementBytes: 1 };

/** In the order of their ids, 0 to 17. */
export const ARRAY_FIELDS: readonly ArrayField[] = [
  VARIABLE_NAMES,
  ROW_NAMES,
  ...arrayNames.map((modelName, index) => {
    const { wireName, element } = modelArrays[modelName];
    return { id: index + 2, wireName, element, elementBytes: ELEMENT_BYTES[element], modelName };
  }),
];

export const fieldOfName = new Map(ARRAY_FIELDS.map((field) => [field.wireName, field]));

/** The elements of raw little-endian bytes; copies only if the bytes are not aligned. */
export function elementsOf(element: ElementType, data: Uint8Array): Float64Array | Int32Array | Uint8Array {
  if (element === "uint8") return data;
  const size = ELEMENT_BYTES[element];
  const aligned = data.byteOffset % size === 0 ? data : data.slice();
  const count = Math.floor(data.byteLength / size);
  return element === "float64"
    ? new Float64Array(aligned.buffer, aligned.byteOffset, count)
    : new Int32Array(aligned.buffer, aligned.byteOffset, count);
}

/** Result arrays: their wire names for messages, by id. */
export const RESULT_LABELS: Readonly<Record<number, string>> = {
  0: "primal_solution",
  1: "dual_solution",
  2: "reduced_cost",
  3: "ws_current_primal_solution",
  4: "ws_current_dual_solution",
  5: "ws_initial_primal_average",
  6: "ws_initial_dual_average",
  7: "ws_current_ATY",
  8: "ws_sum_primal_solutions",
  9: "ws_sum_dual_solutions",
  10: "ws_last_restart_duality_gap_primal_solution",
  11: "ws_last_restart_duality_gap_dual_solution",
  12: "mip_solution",
};
