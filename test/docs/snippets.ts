// Code blocks of the documents as things that run: console sessions with what they print, and TypeScript programs.

export interface Snippet {
  readonly language: "console" | "ts" | "text";
  /** Without the fences. */
  readonly text: string;
  /** Of its first line in the document, from 1. */
  readonly line: number;
  /** Why it is not run, from a comment `<!-- not run: … -->` before it. */
  readonly notRun: string | undefined;
}

/** Fenced blocks that are to be run; blocks of other languages say something else. */
export function snippetsOf(markdown: string): Snippet[] {
  const found: Snippet[] = [];
  const lines = markdown.split("\n");
  for (let at = 0; at < lines.length; at += 1) {
    const language = /^```(\w*)$/.exec(lines[at] as string)?.[1];
    if (language === undefined) continue;
    const end = lines.indexOf("```", at + 1);
    if (end === -1) throw new Error(`line ${at + 1}: the code block has no end`);
    const before = lines.slice(0, at).findLast((line) => line.trim() !== "");
    const notRun = /^<!-- not run: (.*) -->$/.exec(before ?? "")?.[1];
    if (language === "console" || language === "ts" || language === "text") {
      found.push({ language, text: lines.slice(at + 1, end).join("\n"), line: at + 2, notRun });
    }
    at = end;
  }
  return found;
}

export interface ShownCommand {
  readonly command: string;
  /** What is shown beneath it. */
  readonly output: readonly string[];
}

/** A console session: commands after `$ `, going on after a backslash at the end of a line. */
export function commandsOf(session: string): ShownCommand[] {
  const commands: { command: string; output: string[] }[] = [];
  let open = false;
  for (const line of session.split("\n")) {
    const last = commands.at(-1);
    if (open && last) last.command += `\n${line}`;
    else if (line.startsWith("$ ")) commands.push({ command: line.slice(2), output: [] });
    else if (last) last.output.push(line);
    else throw new Error(`a console session begins with "$ ", not with "${line}"`);
    open = (open || line.startsWith("$ ")) && line.endsWith("\\");
  }
  return commands;
}

/** What differs from run to run: ids, ports, times, rates, folders. */
const VARYING: readonly (readonly [RegExp, string])[] = [
  [/\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/g, "ID"],
  [/\b(127\.0\.0\.1|localhost):\d+/g, "HOST:PORT"],
  [/\b\d{4}-\d\d-\d\d[T ][\d:.]+Z?/g, "TIME"],
  [/(?<![\w.])[-+]?\d+(\.\d+)? ?(ns|us|µs|ms|s|min|h|[kMG]i?B\/s)\b/g, "N $2"],
  [/("\w*(seconds|Seconds|_ms|Ms|_at|At)": ?)("[^"]*"|[-\d.e+]+)/g, "$1N"],
  [/[ \t]+/g, " "],
];

export const steady = (line: string): string =>
  VARYING.reduce((text, [pattern, word]) => text.replace(pattern, word), line.trimEnd()).trim();

/** Whether the printed lines are what is shown; a shown line `…` stands for any number of lines. */
export function isShown(printed: readonly string[], shown: readonly string[]): boolean {
  const [expected, ...rest] = shown;
  if (expected === undefined) return printed.length === 0;
  if (expected.trim() === "…") {
    return Array.from({ length: printed.length + 1 }, (_, skipped) => skipped).some((skipped) =>
      isShown(printed.slice(skipped), rest),
    );
  }
  const [line, ...others] = printed;
  return line !== undefined && steady(line) === steady(expected) && isShown(others, rest);
}
