// What fits of a mean and covariance share: the graph computes the moments of a batch, tile by tile where cubes are large.
import { asTensor } from "../graph/graph.ts";
import type { PartialMoments } from "../graph/moments.ts";
import { at, toFloat64, type Value } from "../graph/tensor.ts";
import type { EmitContext } from "./node-type.ts";

/** Moments of the pixels at port "data", for the fitter. */
export const emitMoments = ({ g, in: input }: EmitContext) => g.moments(input("data"));

/** The moments as the fitter is given them. */
export function momentsGiven(inputs: Readonly<Record<string, Value>>): PartialMoments {
  return {
    count: at(asTensor(inputs["count"]), 0),
    mean: toFloat64(asTensor(inputs["mean"])),
    second: toFloat64(asTensor(inputs["second"])),
  };
}
