// "Did you mean": the name that a misspelt one probably stands for.

/** The candidate that the fewest edits make of `name`, if they are few for a name of its length. */
export function nearest(name: string, candidates: Iterable<string>): string | undefined {
  let best: string | undefined;
  let fewest = Math.min(4, name.length / 2) + 0.5;
  for (const candidate of candidates) {
    if (Math.abs(candidate.length - name.length) >= fewest) continue;
    const edits = editDistance(name.toLowerCase(), candidate.toLowerCase());
    if (edits < fewest) [best, fewest] = [candidate, edits];
  }
  return best;
}

/** Levenshtein distance: insertions, deletions and substitutions of one character. */
function editDistance(a: string, b: string): number {
  let above = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (const [row, letter] of [...a].entries()) {
    const line = [row + 1];
    for (let column = 0; column < b.length; column++) {
      const substituted = above[column]! + (letter === b[column] ? 0 : 1);
      line.push(Math.min(substituted, above[column + 1]! + 1, line[column]! + 1));
    }
    above = line;
  }
  return above[b.length]!;
}
