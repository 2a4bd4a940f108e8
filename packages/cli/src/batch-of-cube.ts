// What a pipeline is given of a cube: the cube under the name of its port, in the type that the port takes, with wavelengths
// and labels where the pipeline asks for them.
import { convertArray, type DType, type NumericArray, type Pipeline } from "@sortie/pipeline";
import { UsageError } from "./connect.ts";
import type { CubeFile } from "./cube-file.ts";

export interface CubeBatch {
  /** By port. */
  readonly arrays: ReadonlyMap<string, NumericArray>;
  /** What was made up, in words. */
  readonly notes: readonly string[];
}

const NO_ARRAYS = ["list", "dict", "text", "int"];

/** @throws UsageError where the cube has no port, or labels do not fit it */
export function batchOf(
  pipeline: Pipeline,
  { path, cube, wavelengthsNm }: CubeFile,
  given: { readonly wavelengthsNm?: readonly number[] | undefined; readonly mask?: NumericArray<"int32"> | undefined },
): CubeBatch {
  const [images = 1, lines = 0, samples = 0, bands = 0] = cube.shape;
  const running = new Set(pipeline.nodes.filter((node) => node.runsIn("inference")).map(({ name }) => name));
  const open = pipeline.openInputs().filter(({ node }) => running.has(node));
  const arrays = new Map<string, NumericArray>();
  const notes: string[] = [];

  const cubePort =
    open.find(({ port }) => port.name === "cube") ??
    open.find(({ port, required }) => required && port.shape.length === 4 && !NO_ARRAYS.includes(port.type));
  if (!cubePort) {
    throw new UsageError(
      `the pipeline has no open input for a cube; it has ${open.map(({ port }) => port.name).join(", ")}`,
    );
  }
  const { type } = cubePort.port;
  arrays.set(cubePort.port.name, type === "any" ? cube : convertArray(cube, type as DType));

  const wavelengths = open.find(({ port }) => port.name === "wavelengths");
  const known = given.wavelengthsNm ?? wavelengthsNm;
  if (known && known.length !== bands) {
    throw new UsageError(`${path}: has ${bands} bands, and there are ${known.length} wavelengths`);
  }
  if (wavelengths && (known || wavelengths.required)) {
    if (!known) notes.push(`${path}: says no wavelengths; the pipeline is given zeros (--wavelengths FILE tells them)`);
    const row = Int32Array.from(known ?? new Array<number>(bands).fill(0), Math.round);
    const data = new Int32Array(images * bands);
    for (let image = 0; image < images; image++) data.set(row, image * bands);
    arrays.set("wavelengths", { dtype: "int32", shape: [images, bands], data });
  }

  const { mask } = given;
  if (mask) {
    const [height, width] = mask.shape;
    if (height !== lines || width !== samples || images !== 1) {
      throw new UsageError(
        `${path}: has ${images === 1 ? "" : `${images} images of `}${lines} x ${samples} pixels, its mask ${height} x ${width}`,
      );
    }
    const port = open.find((each) => each.port.name === "mask" && each.port.shape.length === 3);
    if (port) arrays.set("mask", convertArray({ ...mask, shape: [1, lines, samples] }, port.port.type as DType));
  }
  return { arrays, notes };
}
