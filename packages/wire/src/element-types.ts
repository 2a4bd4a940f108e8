// Element types of arrays: their numbers on the wire of sortie.v1, and their names everywhere else.
import { ElementType } from "./gen/sortie/v1/transfer_service_pb.js";

const BY_NAME = {
  float64: ElementType.FLOAT64,
  float32: ElementType.FLOAT32,
  int8: ElementType.INT8,
  int16: ElementType.INT16,
  int32: ElementType.INT32,
  int64: ElementType.INT64,
  uint8: ElementType.UINT8,
  uint16: ElementType.UINT16,
  uint32: ElementType.UINT32,
  uint64: ElementType.UINT64,
  bool: ElementType.BOOL,
} as const;

export type ElementTypeName = keyof typeof BY_NAME;

/** UNSPECIFIED for a name that the wire does not have. */
export const elementTypeOfDType = (dtype: string): ElementType =>
  (BY_NAME as Readonly<Record<string, ElementType>>)[dtype] ?? ElementType.UNSPECIFIED;

export const dtypeOfElementType = (type: ElementType): ElementTypeName | undefined =>
  (Object.keys(BY_NAME) as ElementTypeName[]).find((name) => BY_NAME[name] === type);
