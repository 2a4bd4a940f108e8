// File formats of cubes, masks and pictures, and the numeric arrays that they hold.
export {
  type ArrayOf,
  allocate,
  bytesOf,
  type Cube,
  convertArray,
  countElements,
  DTYPES,
  type DType,
  itemBytes,
  type NumericArray,
  readerOf,
  stridesOf,
  type TypedArray,
  viewAs,
} from "./array.ts";
export { type CocoFile, type CocoImage, cocoMask, parseCoco } from "./coco.ts";
export { describeEnvi, type EnviHeader, parseEnviHeader, readEnvi } from "./envi.ts";
export { FormatError } from "./errors.ts";
export { describeMat, type MatVariable, readMat } from "./mat.ts";
export { describeNpy, type NpyHeader, readNpy, writeNpy } from "./npy.ts";
export { describeNpz, readNpz } from "./npz.ts";
export { encodePng, type Picture } from "./png.ts";
export { type ByteSource, bytesSource, openFileSource, readAll, sliceSource } from "./source.ts";
