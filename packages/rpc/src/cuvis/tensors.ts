// Arrays between the wire and pipelines: little-endian, C order.
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import {
  bytesPerElement,
  convertArray,
  isTensor,
  type NumericArray,
  type PipelineDType,
  type PipelineTensor,
  type PipelineValue,
  view,
} from "@sortie/pipeline";
import { cuvis } from "@sortie/wire";
import type { SharedMemory } from "./context.ts";
import { nameOfDType, wireDType } from "./dtypes.ts";
import { invalid, notFound } from "./errors.ts";

const { TensorSchema } = cuvis;
type WireTensor = MessageInitShape<typeof TensorSchema>;

/**
 * The tensor that a client sent. An empty shape leaves the data one-dimensional. Half floats are widened.
 * @param field its name on the wire, for messages
 * @throws CuvisError INVALID_ARGUMENT; NOT_FOUND for shared memory that is not there
 */
export async function readTensor(tensor: cuvis.Tensor, field: string, memory?: SharedMemory): Promise<PipelineTensor> {
  const name = nameOfDType(tensor.dtype);
  if (name === undefined) throw invalid(`${field}: dtype ${tensor.dtype} is not one of the wire's element types`);
  const size = name === "float16" ? 2 : bytesPerElement(name as PipelineDType);
  const { payload } = tensor;
  if (payload.case !== "shmRef") return tensorOf(tensor, name, size, payload.value ?? new Uint8Array(), field);
  const ref = checkedRef(payload.value, tensor.shape, size, field);
  if (!memory) {
    throw invalid(`${field}: shared memory is not read here (--shared-memory); send the bytes in raw_data`);
  }
  const bytes = ref.bytes === 0 ? new Uint8Array() : await memory.read(ref.name, ref.offset, ref.bytes);
  if (bytes === undefined) throw notFound(`${field}: shared memory '${ref.name}' not found`);
  return tensorOf(tensor, name, size, bytes, field);
}

/** Where a tensor lies in shared memory, once its size and its name are known to be sound. */
function checkedRef(
  { name, byteOffset, byteSize }: cuvis.ShmRef,
  shape: readonly bigint[],
  size: number,
  field: string,
): { readonly name: string; readonly offset: number; readonly bytes: number } {
  const object = name.startsWith("/") ? name.slice(1) : name;
  if (object === "" || object === "." || object.includes("..") || /[/\\\0]/.test(object)) {
    throw invalid(`${field}: shm_ref.name '${name}' must be one segment without separators and '..'`);
  }
  const [offset, bytes] = [Number(byteOffset), Number(byteSize)];
  if (offset % size !== 0 || bytes % size !== 0) {
    throw invalid(`${field}: shm_ref has offset ${offset} and size ${bytes}; elements have ${size} bytes`);
  }
  const wanted = shape.reduce((product, each) => product * Number(each), size);
  if (shape.length > 0 && wanted !== bytes) {
    throw invalid(`${field}: shm_ref has ${bytes} bytes; shape [${shape.join(", ")}] needs ${wanted}`);
  }
  return { name: object, offset, bytes };
}

function tensorOf(tensor: cuvis.Tensor, name: string, size: number, bytes: Uint8Array, field: string): PipelineTensor {
  const sizes = tensor.shape.map(Number);
  if (sizes.some((each) => !Number.isSafeInteger(each) || each < 0)) {
    throw invalid(`${field}: shape [${sizes.join(", ")}] has a size that is no count`);
  }
  if (bytes.byteLength % size !== 0) {
    throw invalid(`${field}: ${bytes.byteLength} bytes are no whole number of ${name} elements of ${size} bytes`);
  }
  const shape = sizes.length === 0 ? [bytes.byteLength / size] : sizes;
  const count = shape.reduce((product, each) => product * each, 1);
  if (count * size !== bytes.byteLength) {
    throw invalid(
      `${field}: raw_data has ${bytes.byteLength} bytes; shape [${shape.join(", ")}] of ${name} needs ${count * size}`,
    );
  }
  if (name === "float16") {
    const half = { dtype: "float16", shape, data: aligned(bytes, "uint16", count) } as NumericArray<"float16">;
    return convertArray(half, "float32");
  }
  return { dtype: name as PipelineDType, shape, data: aligned(bytes, name as PipelineDType, count) };
}

/** The bytes as elements: as they lie where that is possible, else copied. */
function aligned(bytes: Uint8Array, dtype: PipelineDType, count: number): PipelineTensor["data"] {
  const fits = bytes.byteOffset % bytesPerElement(dtype) === 0 && bytes.buffer instanceof ArrayBuffer;
  // Not by slice(): of a Buffer that is a view.
  const own = fits ? bytes : new Uint8Array(bytes);
  return view(dtype, own.buffer as ArrayBuffer, own.byteOffset, count);
}

/** A tensor as it goes to the client; undefined for an element type that the wire does not have. */
export function writeTensor(tensor: PipelineTensor): WireTensor | undefined {
  const dtype = wireDType(tensor.dtype);
  if (dtype === cuvis.DType.UNSPECIFIED) return undefined;
  const { data } = tensor;
  const rawData = new Uint8Array(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength);
  return { shape: tensor.shape.map(BigInt), dtype, payload: { case: "rawData", value: rawData } };
}

/** Where each value of an output belongs: numbers are metrics, arrays outputs; the rest has no place on the wire. */
export function writeOutputs(
  values: ReadonlyMap<string, PipelineValue>,
): Pick<MessageInitShape<typeof cuvis.InferenceResponseSchema>, "outputs" | "metrics"> & { unsupported: string[] } {
  const outputs: Record<string, WireTensor> = {};
  const metrics: Record<string, number> = {};
  const unsupported: string[] = [];
  for (const [key, value] of values) {
    if (typeof value === "number") metrics[key] = value;
    else if (typeof value === "boolean") outputs[key] = scalarBool(value);
    else if (isTensor(value)) {
      const tensor = writeTensor(value);
      if (tensor) outputs[key] = tensor;
      else unsupported.push(key);
    } else if (Array.isArray(value) && value.every((each) => typeof each === "number")) {
      outputs[key] = listOfNumbers(value as readonly number[]);
    }
  }
  return { outputs, metrics, unsupported };
}

const scalarBool = (value: boolean): WireTensor => ({
  dtype: cuvis.DType.BOOL,
  payload: { case: "rawData", value: Uint8Array.of(value ? 1 : 0) },
});

function listOfNumbers(values: readonly number[]): WireTensor {
  const whole = values.length > 0 && values.every(Number.isInteger);
  const data = whole ? BigInt64Array.from(values, BigInt) : Float32Array.from(values);
  return {
    shape: [BigInt(values.length)],
    dtype: whole ? cuvis.DType.INT64 : cuvis.DType.FLOAT32,
    payload: { case: "rawData", value: new Uint8Array(data.buffer) },
  };
}

/** An input batch by the names of ports; `extra_inputs` win over the fields. @throws CuvisError */
export async function readBatch(
  batch: cuvis.InputBatch | undefined,
  memory?: SharedMemory,
): Promise<Record<string, PipelineValue>> {
  const inputs = batch ?? create(cuvis.InputBatchSchema);
  const values: Record<string, PipelineValue> = {};
  const fields = [
    ["cube", inputs.cube],
    ["wavelengths", inputs.wavelengths],
    ["mask", inputs.mask],
    ["rgb_image", inputs.rgbImage],
  ] as const;
  for (const [name, tensor] of fields) if (tensor) values[name] = await readTensor(tensor, `inputs.${name}`, memory);
  // These two count only when they hold something.
  for (const [name, tensor] of [
    ["frame_id", inputs.frameId],
    ["mesu_index", inputs.mesuIndex],
  ] as const) {
    const read = tensor && (await readTensor(tensor, `inputs.${name}`, memory));
    if (read && read.data.length > 0) values[name] = read;
  }
  if (inputs.bboxes) values["bboxes"] = inputs.bboxes.boxes.map(boxOf);
  if (inputs.points) values["points"] = inputs.points.points.map(pointOf);
  if (inputs.textPrompt !== "") values["text_prompt"] = inputs.textPrompt;
  for (const [name, tensor] of Object.entries(inputs.extraInputs)) {
    values[name] = await readTensor(tensor, `inputs.extra_inputs["${name}"]`, memory);
  }
  return values;
}

const boxOf = ({ elementId, xMin, yMin, xMax, yMax, objectId }: cuvis.BoundingBox): PipelineValue => ({
  element_id: elementId,
  x_min: xMin,
  y_min: yMin,
  x_max: xMax,
  y_max: yMax,
  ...(objectId === undefined ? {} : { object_id: objectId }),
});

const POINT_TYPE: Readonly<Record<number, string>> = {
  [cuvis.PointType.POSITIVE]: "positive",
  [cuvis.PointType.NEGATIVE]: "negative",
};

const pointOf = ({ elementId, x, y, type }: cuvis.Point): PipelineValue => ({
  element_id: elementId,
  x,
  y,
  type: POINT_TYPE[type] ?? "neutral",
});
