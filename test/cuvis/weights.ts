// Weights files of the tests' own making.
import { bytesSource, type Checkpoint, readCheckpoint, tensor, writeCheckpoint } from "@sortie/pipeline";

type States = Readonly<Record<string, Readonly<Record<string, Float32Array | Float64Array>>>>;

/** A `.pt` file with vectors by node and key; a shape of its own for each where given. */
export function checkpoint(states: States, shapes: Readonly<Record<string, readonly number[]>> = {}): Uint8Array {
  const stateDict = new Map(
    Object.entries(states).map(([node, entries]) => [
      node,
      new Map(
        Object.entries(entries).map(([key, data]) => {
          const dtype = data instanceof Float64Array ? "float64" : "float32";
          return [key, tensor(dtype, shapes[key] ?? [data.length], data as never)];
        }),
      ),
    ]),
  );
  return writeCheckpoint({ stateDict: stateDict as unknown as Checkpoint["stateDict"], metadata: {} });
}

export const readWeights = (bytes: Uint8Array): Promise<Checkpoint> => readCheckpoint(bytesSource("weights", bytes));
