// `sortie completion SHELL`: prints the script that completes commands and options in a shell.
import { settingsCatalogue } from "@sortie/solve";
import type { OptionTable } from "../command.ts";
import { COMMANDS } from "../command-list.ts";
import {
  bashScript,
  type CompletedCommand,
  type CompletedOption,
  fishScript,
  zshScript,
} from "../completion-scripts.ts";
import { UsageError } from "../connect.ts";
import { EXIT_DONE } from "../exit-codes.ts";
import { parseOptions } from "../options.ts";
import { runCommand } from "../run-command.ts";

const HELP = `usage: sortie completion bash|zsh|fish

Prints a script that completes commands, options, their values and the names of settings. Where it goes:

  bash   sortie completion bash > ~/.local/share/bash-completion/completions/sortie
  zsh    sortie completion zsh > FOLDER/_sortie      a FOLDER of $fpath
  fish   sortie completion fish > ~/.config/fish/completions/sortie.fish

For one session: eval "$(sortie completion bash)"; zsh likewise, after compinit. A script knows the release that printed it.

Exit codes: 0 printed; 1 a fault in the arguments.
`;

export const OPTIONS = {} as const satisfies OptionTable;

const SCRIPTS = { bash: bashScript, zsh: zshScript, fish: fishScript } as const;
export const SHELLS = Object.keys(SCRIPTS) as readonly (keyof typeof SCRIPTS)[];

export function completion(args: readonly string[]): Promise<number> {
  return runCommand(args, HELP, async () => {
    const { positionals } = await parseOptions("completion", args, OPTIONS);
    const shell = SHELLS.find((name) => name === positionals[0]);
    if (shell === undefined || positionals.length > 1) {
      throw new UsageError(`completion takes one of ${SHELLS.join(", ")}; found ${positionals.join(" ") || "none"}`);
    }
    process.stdout.write(SCRIPTS[shell](await completedCommands()));
    return EXIT_DONE;
  });
}

/** Every command with the options that it really takes. */
export async function completedCommands(): Promise<CompletedCommand[]> {
  return Promise.all(
    COMMANDS.map(async ({ name, summary, words = [], load }) => {
      const { options } = await load();
      return { name, summary, words, options: Object.entries(options).map(completedOption) };
    }),
  );
}

function completedOption([name, { type, short, multiple, values }]: [string, OptionTable[string]]): CompletedOption {
  return {
    name,
    short,
    takesValue: type === "string",
    repeatable: multiple ?? false,
    values: name === "set" ? settingNames().map((setting) => `${setting}=`) : values,
  };
}

/** Settings of both kinds of model, as `--set` takes them. */
function settingNames(): string[] {
  const names = Object.values(settingsCatalogue).flatMap((specs) => specs.map((spec) => spec.parameter ?? spec.name));
  return [...new Set(names)].toSorted();
}
