// Times of nodes as a session keeps them, and as clients are told of them.
import { addSample, freshProfile, type NodeProfile, type ProfileEntry, profileOf } from "@sortie/pipeline";
import type { Json, Profiling } from "@sortie/sessions";

/** The statistics with one more sample of each node that has run. */
export function addSamples(profiling: Profiling, samples: readonly NodeProfile[]): Profiling {
  const stored = profiling.entries as unknown as readonly ProfileEntry[];
  const entries = new Map(stored.map((entry) => [keyOf(entry), entry]));
  for (const { stage, node, lastMs } of samples) {
    const entry = entries.get(keyOf({ stage, node })) ?? freshProfile(stage, node);
    entries.set(keyOf(entry), addSample(entry, lastMs, profiling.skipFirst));
  }
  return { ...profiling, entries: [...entries.values()] as unknown as readonly Json[] };
}

const keyOf = ({ stage, node }: Pick<ProfileEntry, "stage" | "node">): string => `${stage}/${node}`;

/** What clients are told of one entry, in milliseconds. */
export function summaryOf(stored: Json): Omit<NodeProfile, "stage" | "node" | "count"> & { readonly count: bigint } {
  const { stage: _stage, node: _node, count, ...times } = profileOf(stored as unknown as ProfileEntry);
  return { count: BigInt(count), ...times };
}
