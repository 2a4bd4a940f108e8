// Rules of loading: strict and lenient, by key, shape and dtype.
import { describe, expect, it } from "vitest";
import type { DType, NumericArray } from "../formats/array.ts";
import { explainFaults, planLoad, type TensorSpec } from "./load.ts";

const floats = (...values: number[]): NumericArray => ({
  dtype: "float32",
  shape: [values.length],
  data: new Float32Array(values),
});
const spec = (dtype: DType, ...shape: number[]): TensorSpec => ({ dtype, shape });
const pipeline = new Map([
  ["data", new Map<string, TensorSpec>()],
  ["rx", new Map([["mu", spec("float32", 2)]])],
  ["logit", new Map([["bias", spec("float32")]])],
]);
const file = (nodes: Record<string, Record<string, NumericArray>>) => ({
  stateDict: new Map(Object.entries(nodes).map(([node, state]) => [node, new Map(Object.entries(state))])),
  metadata: {},
});

describe("loading weights", () => {
  it("fills a node whose keys and shapes agree", () => {
    const plan = planLoad(pipeline, file({ rx: { mu: floats(1, 2) } }), { strict: true });
    expect(plan.faults).toEqual([]);
    expect([...plan.load]).toEqual([["rx", new Map([["mu", floats(1, 2)]])]]);
  });

  it("leaves nodes without an entry as they are, also when strict", () => {
    const plan = planLoad(pipeline, file({ rx: { mu: floats(1, 2) } }), { strict: true });
    expect(plan.untouched).toEqual(["data", "logit"]);
  });

  it("passes over entries for nodes that the pipeline does not have", () => {
    const plan = planLoad(pipeline, file({ other: { mu: floats(1) } }), { strict: true });
    expect(plan).toMatchObject({ faults: [], unknown: ["other"] });
  });

  it.each([true, false])("48. loads nothing from a file without state_dict (strict %s)", (strict) => {
    const plan = planLoad(pipeline, { stateDict: undefined, metadata: {} }, { strict });
    expect(plan.faults).toEqual([]);
    expect(plan.load.size).toBe(0);
  });

  it("51. names missing and unexpected keys when strict and passes over them when lenient", () => {
    const given = file({ rx: { nu: floats(1) }, logit: {} });
    const differences = [
      { kind: "missing", node: "rx", key: "mu" },
      { kind: "unexpected", node: "rx", key: "nu" },
      { kind: "missing", node: "logit", key: "bias" },
    ];
    expect(planLoad(pipeline, given, { strict: true })).toMatchObject({ faults: differences, ignored: [] });
    expect(planLoad(pipeline, given, { strict: false })).toMatchObject({ faults: [], ignored: differences });
    expect(explainFaults(planLoad(pipeline, given, { strict: true }).faults)).toBe(
      "node 'rx': missing key 'mu'; unexpected key 'nu'\nnode 'logit': missing key 'bias'",
    );
  });

  it.each([true, false])("51. refuses another shape (strict %s)", (strict) => {
    const { faults } = planLoad(pipeline, file({ rx: { mu: floats(1, 2, 3) } }), { strict });
    expect(faults).toEqual([{ kind: "shape", node: "rx", key: "mu", expected: [2], found: [3] }]);
    expect(explainFaults(faults)).toBe("node 'rx': size mismatch for 'mu': the file has [3], the node has [2]");
  });

  it("51. converts another dtype to the node's own", () => {
    const wide: NumericArray = { dtype: "float64", shape: [2], data: new Float64Array([0.1, 2]) };
    const plan = planLoad(pipeline, file({ rx: { mu: wide } }), { strict: true });
    expect(plan.load.get("rx")!.get("mu")).toEqual(floats(0.1, 2));
  });
});
