// Splits: which samples belong to training, validation, test and prediction, chosen by selectors.
import { createHash } from "node:crypto";
import { DataError, invalid } from "./errors.ts";
import { matchesPattern } from "./wildcards.ts";

export interface Sample {
  /** source, then `#index` if there is one, then `#labelId` if there is one that differs from the index. */
  readonly id: string;
  readonly source: string;
  readonly index: number | undefined;
  readonly labelId: number | undefined;
  readonly stem: string;
  readonly tags: readonly string[];
  readonly categoryIds: readonly number[];
}

export function sampleId({ source, index, labelId }: Pick<Sample, "source" | "index" | "labelId">): string {
  const label = labelId !== undefined && labelId !== index ? `#${labelId}` : "";
  return `${source}${index === undefined ? "" : `#${index}`}${label}`;
}

export const STAGES = ["train", "val", "test", "predict"] as const;
export type SplitStage = (typeof STAGES)[number];

/** As in a data configuration; the fields of its kind are set. */
export interface Selector {
  readonly kind: string;
  readonly paths?: readonly string[];
  readonly source?: string | null;
  readonly ids?: readonly (number | string)[];
  readonly stems?: readonly string[];
  readonly pattern?: string | null;
  readonly any_of?: readonly string[];
  readonly of?: readonly Selector[];
}

export interface Splits extends Partial<Readonly<Record<SplitStage, readonly Selector[]>>> {
  readonly splits_path?: string | null;
  readonly leakage_check?: "error" | "warn" | "off";
  readonly universe_hash?: string | null;
}

export interface SplitResult {
  readonly stages: Readonly<Record<SplitStage, readonly Sample[]>>;
  readonly warnings: readonly string[];
}

/** SHA-256, in hexadecimal, over the ids of all samples, each followed by a newline. */
export function universeHash(samples: readonly Sample[]): string {
  const hash = createHash("sha256");
  for (const { id } of samples) hash.update(`${id}\n`);
  return hash.digest("hex");
}

/**
 * @param categories ids by name, for selectors by category
 * @throws DataError `invalid` for a selector that cannot be followed or matches nothing, `leakage` for shared samples
 */
export function applySplits(
  splits: Splits,
  samples: readonly Sample[],
  categories: ReadonlyMap<string, number>,
): SplitResult {
  const positional = STAGES.some((stage) => (splits[stage] ?? []).some(usesPositions));
  if (positional && splits.universe_hash) {
    const found = universeHash(samples);
    if (found !== splits.universe_hash.toLowerCase()) {
      throw invalid(
        `splits.universe_hash is ${splits.universe_hash}, and the samples' is ${found}: the list of samples has changed`,
      );
    }
  }
  const pick = (stage: SplitStage): readonly Sample[] => {
    const chosen = new Set<Sample>();
    for (const [i, selector] of (splits[stage] ?? []).entries()) {
      const where = `splits.${stage}.${i}`;
      const matched = select(selector, samples, categories, where);
      if (matched.length === 0)
        throw invalid(`${where} (${selector.kind}) matches none of the ${samples.length} samples`);
      for (const sample of matched) chosen.add(sample);
    }
    return [...chosen];
  };
  const stages = { train: pick("train"), val: pick("val"), test: pick("test"), predict: pick("predict") };
  if (stages.predict.length === 0) stages.predict = samples;
  return { stages, warnings: checkLeakage(splits.leakage_check ?? "error", stages) };
}

const usesPositions = (selector: Selector): boolean =>
  selector.kind === "dir_indices" || (selector.of ?? []).some(usesPositions);

function checkLeakage(mode: "error" | "warn" | "off", stages: SplitResult["stages"]): string[] {
  if (mode === "off") return [];
  const pairs = [
    ["train", "val"],
    ["train", "test"],
    ["val", "test"],
  ] as const;
  const faults = pairs.flatMap(([a, b]) => {
    const other = new Set(stages[b]);
    const shared = stages[a].filter((sample) => other.has(sample)).map(({ id }) => id);
    if (shared.length === 0) return [];
    return [
      `splits ${a} and ${b} share ${shared.length} samples: ${shared.slice(0, 5).join(", ")}${shared.length > 5 ? ", …" : ""}`,
    ];
  });
  if (mode === "error" && faults.length > 0) throw new DataError("leakage", faults.join("; "));
  return faults;
}

type Predicate = (sample: Sample) => boolean;

function select(
  selector: Selector,
  samples: readonly Sample[],
  categories: ReadonlyMap<string, number>,
  where: string,
): readonly Sample[] {
  const by = (predicate: Predicate): readonly Sample[] => samples.filter(predicate);
  const operands = (): (readonly Sample[])[] =>
    (selector.of ?? []).map((operand, i) => select(operand, samples, categories, `${where}.of.${i}`));
  switch (selector.kind) {
    case "all":
      return samples;
    case "files":
      return by(({ source }) => (selector.paths ?? []).includes(source));
    case "file_indices": {
      const ranges = parseIds(selector.ids ?? [], where);
      return by(
        ({ source, index }) =>
          source === selector.source && index !== undefined && ranges.some((range) => holds(range, index)),
      );
    }
    case "dir_indices":
      return parseIds(selector.ids ?? [], where).flatMap((range) => positions(range, samples, where));
    case "stems":
      return by(({ stem }) => (selector.stems ?? []).includes(stem));
    case "glob": {
      const pattern = selector.pattern ?? "";
      return by(({ stem, source }) => matchesPattern(pattern, stem) || matchesPattern(pattern, source));
    }
    case "tag":
      return by(({ tags }) => (selector.any_of ?? []).some((tag) => tags.includes(tag)));
    case "categories": {
      const ids = (selector.any_of ?? []).map((name) => {
        const id = categories.get(name);
        if (id === undefined)
          throw invalid(`${where} names category '${name}'; known are ${[...categories.keys()].join(", ") || "none"}`);
        return id;
      });
      return by(({ categoryIds }) => ids.some((id) => categoryIds.includes(id)));
    }
    case "union":
      return [...new Set(operands().flat())];
    case "intersect": {
      const [first = [], ...rest] = operands().map((operand) => new Set(operand));
      return [...first].filter((sample) => rest.every((operand) => operand.has(sample)));
    }
    case "except": {
      const [first = [], ...rest] = operands();
      const removed = new Set(rest.flat());
      return first.filter((sample) => !removed.has(sample));
    }
    default:
      throw invalid(`${where} has kind '${selector.kind}', which is unknown`);
  }
}

interface IdRange {
  readonly from: number;
  readonly to: number;
  readonly step: number;
}

/** Integers and inclusive ranges `a-b` or `a-b:step`. */
function parseIds(ids: readonly (number | string)[], where: string): IdRange[] {
  return ids.map((id) => {
    const match = /^(\d+)(?:-(\d+)(?::(\d+))?)?$/.exec(String(id).trim());
    const [from, to, step] = [Number(match?.[1]), Number(match?.[2] ?? match?.[1]), Number(match?.[3] ?? 1)];
    if (!match || to < from || step < 1 || !Number.isSafeInteger(to)) {
      throw invalid(`${where} has id '${id}'; allowed are integers from 0 on and ranges 'a-b' or 'a-b:step'`);
    }
    return { from, to, step };
  });
}

const holds = ({ from, to, step }: IdRange, index: number): boolean =>
  index >= from && index <= to && (index - from) % step === 0;

function positions({ from, to, step }: IdRange, samples: readonly Sample[], where: string): Sample[] {
  const last = from + Math.floor((to - from) / step) * step;
  if (last >= samples.length) throw invalid(`${where} has position ${last}, and there are ${samples.length} samples`);
  const chosen: Sample[] = [];
  for (let at = from; at <= to; at += step) chosen.push(samples[at]!);
  return chosen;
}
