// Words in colour, on a terminal that shows it and unless NO_COLOR is set.
import { styleText } from "node:util";

type Colour = "green" | "yellow" | "red" | "cyan" | "dim";

const COLOUR_OF: Readonly<Record<string, Colour>> = {
  completed: "green",
  processing: "cyan",
  queued: "dim",
  cancelled: "yellow",
  failed: "red",
  "not-found": "red",
  ok: "green",
  warn: "yellow",
  fail: "red",
};

/** `text`, in the colour that belongs to `word`: a state of a job, or how a check ended. */
export function coloured(word: string, text = word, stream: NodeJS.WriteStream = process.stdout): string {
  const colour = COLOUR_OF[word];
  return colour === undefined ? text : styleText(colour, text, { stream });
}
