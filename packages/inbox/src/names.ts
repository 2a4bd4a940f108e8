// What a file's name says: which files of the inbox are models, which settings belong to one, and where its answers go.

const MODEL = /\.(mps|qps|lp)(\.(gz|bz2))?$/i;
const SETTINGS = /\.json$/i;
/** Models in forms that cannot be read here; everything else in an inbox is nobody's business. */
const FOREIGN = /(\.(mps|qps|lp)\.(xz|zst|zip|z)|\.(nl|cbf|osil|opb)(\.(gz|bz2|xz|zst|zip))?)$/i;

export interface InboxName {
  /** `foreign`: a model, in a form that cannot be read here. */
  readonly kind: "model" | "settings" | "foreign" | "other";
  /** The path without what says its form: `plans/afiro` for `plans/afiro.mps.gz`. */
  readonly stem: string;
}

/** @param path below the inbox, with slashes */
export function inboxName(path: string): InboxName {
  for (const [kind, form] of [
    ["model", MODEL],
    ["settings", SETTINGS],
    ["foreign", FOREIGN],
  ] as const) {
    const stem = path.replace(form, "");
    // A name that is nothing but an extension names nothing.
    if (stem !== path && stem !== "" && !stem.endsWith("/")) return { kind, stem };
  }
  return { kind: "other", stem: path };
}

/** The files of a model's answer, as paths below the outbox. */
export interface Outputs {
  /** How it ended; there once everything else is. */
  readonly summary: string;
  readonly solution: string;
  readonly log: string;
  /** Instead of a summary: why there is no answer. */
  readonly error: string;
}

export function outputsOf(path: string): Outputs {
  const { stem } = inboxName(path);
  const name = stem.slice(stem.lastIndexOf("/") + 1);
  const at = (extension: string) => `${stem}/${name}${extension}`;
  return { summary: at(".json"), solution: at(".sol"), log: at(".log"), error: at(".error.json") };
}
