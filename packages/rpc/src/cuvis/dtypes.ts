// Element types: their names in files and code, their numbers on the wire, their sizes.
import { cuvis } from "@sortie/wire";

const { DType } = cuvis;

const BY_NAME: Readonly<Record<string, cuvis.DType>> = {
  float32: DType.FLOAT32,
  float64: DType.FLOAT64,
  int32: DType.INT32,
  int64: DType.INT64,
  uint8: DType.UINT8,
  bool: DType.BOOL,
  float16: DType.FLOAT16,
  uint16: DType.UINT16,
};

/** The wire's number of a dtype; UNSPECIFIED for what is no array of numbers. */
export const wireDType = (name: string): cuvis.DType => BY_NAME[name] ?? DType.UNSPECIFIED;

export const nameOfDType = (dtype: cuvis.DType): string | undefined =>
  Object.keys(BY_NAME).find((name) => BY_NAME[name] === dtype);
