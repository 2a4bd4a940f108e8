// Shell patterns: * and ? and [sets] within a text, without the blow-up that backtracking expressions allow.

type Part = "any" | ((character: string) => boolean);

/** Whether the whole text fits the pattern; `*` also matches slashes, as Python's fnmatch has it. */
export function matchesPattern(pattern: string, text: string): boolean {
  const parts = parse(pattern);
  const characters = [...text];
  // One star at most has to be widened again: the last one seen.
  let part = 0;
  let at = 0;
  let star = -1;
  let resume = 0;
  while (at < characters.length) {
    const current = parts[part];
    if (current === "any") {
      star = part++;
      resume = at;
    } else if (current?.(characters[at]!)) {
      part++;
      at++;
    } else if (star >= 0) {
      part = star + 1;
      at = ++resume;
    } else {
      return false;
    }
  }
  while (parts[part] === "any") part++;
  return part === parts.length;
}

export const hasWildcards = (pattern: string): boolean => /[*?[]/.test(pattern);

function parse(pattern: string): Part[] {
  const characters = [...pattern];
  const parts: Part[] = [];
  for (let i = 0; i < characters.length; i++) {
    const character = characters[i]!;
    if (character === "*") {
      if (parts.at(-1) !== "any") parts.push("any");
    } else if (character === "?") {
      parts.push(() => true);
    } else if (character === "[") {
      const negated = characters[i + 1] === "!";
      const start = i + (negated ? 2 : 1);
      const end = characters.indexOf("]", start + 1);
      if (end < 0) {
        parts.push((other) => other === "[");
      } else {
        const members = setOf(characters.slice(start, end));
        parts.push((other) => members(other) !== negated);
        i = end;
      }
    } else {
      parts.push((other) => other === character);
    }
  }
  return parts;
}

function setOf(members: readonly string[]): (character: string) => boolean {
  const ranges: [string, string][] = [];
  for (let i = 0; i < members.length; i++) {
    if (members[i + 1] === "-" && i + 2 < members.length) {
      ranges.push([members[i]!, members[i + 2]!]);
      i += 2;
    } else {
      ranges.push([members[i]!, members[i]!]);
    }
  }
  return (character) => ranges.some(([from, to]) => from <= character && character <= to);
}
