// The page that lists every setting, made from the catalogue; a test keeps docs/settings.md equal to it.
import { rangeText, type SettingSpec, settingsCatalogue } from "./settings.ts";

/** Markdown: a row for every field of PDLPSolverSettings and MIPSolverSettings. */
export function settingsDocument(): string {
  return `# Solver settings

Every field of cuOpt's solver settings, and what it does here. The solver is HiGHS, compiled to WebAssembly, with one
thread and no GPU.

- A setting is known by its number and name on the wire, and by its parameter name on the command line.
- Ranges are those of the parameter; the server takes any value and applies the clamps named under "meaning".
- A job that changes a setting which has no effect here says so in its log.
- HiGHS keeps at least its own accuracy: a tolerance looser than HiGHS's is not used, a tighter one is.
- NaN, and numbers that an enumeration does not have (\`pdlp_solver_mode\`, \`method\`), are refused.
- A field that is absent has its default. From a client that is recognised as one of 26.04, an absent field of 26.04
  is zero or false, as that release reads it: its clients leave out what is zero. An LP with time limit 0 then stops at
  once; a MIP reads 0 as no limit.

## LP and QP: PDLPSolverSettings

${table(settingsCatalogue.lp)}
| 50 | \`warm_start_data\` | | | | 26.04 | State of PDLP to start from (a message, not a scalar). | no effect here |

## MIP: MIPSolverSettings

${table(settingsCatalogue.mip)}
`;
}

function table(specs: readonly SettingSpec[]): string {
  const head =
    "| no. | name | parameter | default | range | since | meaning | here |\n|---|---|---|---|---|---|---|---|";
  return [head, ...specs.map(row)].join("\n");
}

function row(spec: SettingSpec): string {
  const parameter = spec.parameter === undefined ? "" : `\`${spec.parameter}\``;
  const effect = spec.effect === "none" ? "no effect here" : spec.effect;
  const cells = [
    spec.number,
    `\`${spec.name}\``,
    parameter,
    number(spec.default),
    rangeText(spec),
    spec.since,
    spec.meaning,
    effect,
  ];
  return `| ${cells.join(" | ")} |`;
}

function number(value: number | boolean): string {
  if (value === Infinity) return "inf";
  return typeof value === "number" && value !== 0 && Math.abs(value) < 1e-3 ? value.toExponential() : String(value);
}
