// Names that a format cannot hold. A writer replaces them and says so in comments of the file, one for each name:
//   Renamed variable x3: "C 3"
// Readers of this package give the original names back; others see a comment.

export type RenamedKind = "variable" | "row" | "objective";

export interface Renamed {
  readonly kind: RenamedKind;
  readonly written: string;
  readonly original: string;
}

export const renamedComment = ({ kind, written, original }: Renamed): string =>
  `Renamed ${kind} ${written}: ${JSON.stringify(original)}`;

/** What the comments of a file say. */
export class RenameTable {
  readonly #originals: { readonly [Kind in RenamedKind]: Map<string, string> } = {
    variable: new Map(),
    row: new Map(),
    objective: new Map(),
  };

  /** Takes a comment, if it tells of a name. */
  read(comment: string): void {
    const [, kind, written, quoted] = /^Renamed (variable|row|objective) (\S+): (".*")$/.exec(comment) ?? [];
    if (kind === undefined || written === undefined || quoted === undefined) return;
    try {
      this.#originals[kind as RenamedKind].set(written, JSON.parse(quoted));
    } catch {
      // Somebody's comment that only looks like ours.
    }
  }

  /** The names with the originals in their places; an original that another has already stays away. */
  restore(kind: RenamedKind, names: string[]): string[] {
    const originals = this.#originals[kind];
    if (originals.size === 0) return names;
    const taken = new Set(names);
    return names.map((name) => {
      const original = originals.get(name);
      if (original === undefined || taken.has(original)) return name;
      taken.add(original);
      return original;
    });
  }
}

/**
 * The names under which things are written: their own where the format allows it and nothing before has the same, else
 * the prefix with their number. Things without names have the prefix with their number as well.
 */
export class WrittenNames {
  readonly renamed: Renamed[] = [];
  readonly #names: readonly string[] | undefined;
  readonly #replaced = new Map<number, string>();
  readonly #prefix: string;
  readonly count: number;

  constructor(
    kind: "variable" | "row",
    names: readonly string[] | undefined,
    count: number,
    prefix: string,
    isAllowed: (name: string) => boolean,
  ) {
    this.#names = names;
    this.#prefix = prefix;
    this.count = count;
    if (names === undefined) return;
    const taken = new Set<string>();
    const refused: number[] = [];
    for (let at = 0; at < count; at++) {
      const name = names[at] ?? "";
      if (!isAllowed(name) || taken.has(name)) refused.push(at);
      else taken.add(name);
    }
    for (const at of refused) {
      let written = `${prefix}${at}`;
      for (let more = 1; taken.has(written); more++) written = `${prefix}${at}_${more}`;
      taken.add(written);
      this.#replaced.set(at, written);
      this.renamed.push({ kind, written, original: names[at] ?? "" });
    }
  }

  name(at: number): string {
    if (this.#names === undefined) return `${this.#prefix}${at}`;
    return this.#replaced.get(at) ?? (this.#names[at] as string);
  }

  has(name: string): boolean {
    for (let at = 0; at < this.count; at++) if (this.name(at) === name) return true;
    return false;
  }
}

/** A name for something that stands beside others: its own, or a new one, if the format or the others forbid it. */
export function freeName(wanted: string, others: WrittenNames, isAllowed: (name: string) => boolean): string {
  let name = wanted;
  for (let more = 1; !isAllowed(name) || others.has(name); more++) name = `obj${more === 1 ? "" : more}`;
  return name;
}

/** One line for a person: how many were renamed, and the first. */
export function renamedWarning(format: string, renamed: readonly Renamed[]): string | undefined {
  const [first] = renamed;
  if (first === undefined) return undefined;
  return (
    `${renamed.length} name(s) that ${format} cannot hold are replaced, first: ${first.kind} ` +
    `${JSON.stringify(first.original)} by ${first.written}; comments in the file have them all`
  );
}
