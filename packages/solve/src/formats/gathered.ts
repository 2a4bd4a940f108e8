// Warnings of the readers: a million cases of one kind make one line.

/** Something that is not an error but should be told. */
export class Gathered {
  count = 0;
  first = "";

  add(what: () => string): void {
    if (this.count++ === 0) this.first = what();
  }

  /** The warning; `many` is the text for any number of cases, the first one is appended. */
  report(many: (count: number) => string, warnings: string[]): void {
    if (this.count > 0) warnings.push(`${many(this.count)}, first: ${this.first}`);
  }
}

/** Tells of lower bounds above upper ones, which are no fault of the file. */
export function reportCrossed(
  what: string,
  nameOf: (index: number) => string,
  lower: Float64Array,
  upper: Float64Array,
  warnings: string[],
): void {
  const crossed = new Gathered();
  for (let at = 0; at < lower.length; at++) {
    if ((lower[at] as number) > (upper[at] as number)) {
      crossed.add(() => `${nameOf(at)} (lower bound ${lower[at]}, upper bound ${upper[at]})`);
    }
  }
  crossed.report((n) => `${n} ${what}(s) with crossed bounds, so the model is infeasible`, warnings);
}
