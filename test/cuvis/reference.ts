// Numbers that the reference has computed, as packages/pipeline keeps them.
import { readVectors as read, type Vectors, type VectorTensor } from "../../packages/pipeline/src/testing/vectors.ts";

export const readVectors = (): Vectors => read();
export const toFloats = ({ data }: VectorTensor): Float32Array => Float32Array.from(data, Number);
