// The table of settings as text: for `sortie serve --help` and for the reference page.
import { SETTING_KEYS, SETTINGS, variableOf } from "./settings.ts";

const HELP_WIDTH = 100;
const TEXT_COLUMN = 30;

/** One paragraph for each flag, in the order of the table. */
export function settingsHelp(): string {
  const lines = [
    "options:",
    ...paragraph("--config FILE", "Settings file, JSON: one object with these names as keys."),
  ];
  for (const key of SETTING_KEYS) {
    const { flag, short, argument, text } = SETTINGS[key];
    const head = `${short ? `-${short}, ` : ""}--${flag}${argument ? ` ${argument}` : ""}`;
    lines.push(...paragraph(head, `${text} Default: ${defaultOf(key)}.`));
  }
  lines.push(
    "",
    "Each is also a variable: --max-attempts is SORTIE_MAX_ATTEMPTS. A flag wins over the variable, the",
    "variable over the settings file.",
  );
  return `${lines.join("\n").replaceAll("`", "")}\n`;
}

function paragraph(head: string, text: string): string[] {
  const lines: string[] = [];
  let line = `  ${head}`.padEnd(TEXT_COLUMN);
  if (line.length >= TEXT_COLUMN) {
    lines.push(line);
    line = "".padEnd(TEXT_COLUMN);
  }
  for (const word of text.split(" ")) {
    if (line.length + word.length > HELP_WIDTH) {
      lines.push(line.trimEnd());
      line = "".padEnd(TEXT_COLUMN);
    }
    line += `${word} `;
  }
  return [...lines, line.trimEnd()];
}

function defaultOf(key: (typeof SETTING_KEYS)[number]): string {
  const row = SETTINGS[key];
  const given = row.defaultText ?? String(row.default());
  return row.argument === undefined ? (given === "true" ? "on" : "off") : given;
}

/** The reference page, Markdown. */
export function settingsReference(): string {
  const rows = SETTING_KEYS.map((key) => {
    const { flag, short, argument, allowed, text } = SETTINGS[key];
    const name = `\`--${flag}${argument ? ` ${argument}` : ""}\`${short ? `, \`-${short}\`` : ""}`;
    return `| ${name} | \`${variableOf(key)}\` | ${defaultOf(key)} | ${allowed} | ${text} |`;
  });
  return `<!-- Written from packages/server/src/settings.ts; a test compares. To write it again:
     npx vitest run --project unit packages/server/src/settings-text.test.ts -u -->

# Settings of the server

\`sortie serve\` reads its settings once, when it starts. Where several places set the same thing, the first of these wins:

1. the command line,
2. the environment: variables \`SORTIE_*\`,
3. the settings file: one JSON object whose keys are the names of the flags without the dashes, such as
   \`{ "port": 5002, "workers": 4, "tls": true }\`; it is named by \`--config FILE\` or \`SORTIE_CONFIG\`,
4. the variables of a cuOpt container: \`CUOPT_GRPC_ARGS\` (flags, cut at white space), \`CUOPT_SERVER_PORT\` (the port) and
   \`CUOPT_GPU_COUNT\` (the workers),
5. the defaults.

Settings that cannot be used end the start with exit code 1 and one report of all faults. A name that is no setting is a fault
on the command line and in the file. Among the variables only a near miss of a name is, because other programs of Sortie have
variables of their own; an empty variable counts as unset. Relative paths start at the working directory.

| flag | variable | default | allowed | meaning |
|---|---|---|---|---|
${rows.join("\n")}
`;
}
