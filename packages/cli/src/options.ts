// The options of a command, with a hint where one is misspelt.
import { type ParseArgsConfig, parseArgs } from "node:util";
import { UsageError } from "./connect.ts";

type OptionTable = NonNullable<ParseArgsConfig["options"]>;

/**
 * @param command for the message, "check"
 * @throws UsageError that says what was found, which option was probably meant, and where the options are told
 */
export async function parseOptions<const T extends OptionTable>(command: string, args: readonly string[], options: T) {
  try {
    return parseArgs({ args: [...args], allowPositionals: true, options });
  } catch (error) {
    const found = args.find((arg) => arg.startsWith("--") && !Object.hasOwn(options, arg.slice(2).split("=")[0] ?? ""));
    const isUnknown = (error as NodeJS.ErrnoException).code === "ERR_PARSE_ARGS_UNKNOWN_OPTION";
    const help = `(sortie ${command} --help tells the options)`;
    if (!isUnknown || found === undefined) throw new UsageError(`${(error as Error).message} ${help}`);
    const { nearest } = await import("@sortie/server");
    const name = found.split("=")[0] ?? found;
    const meant = nearest(name.slice(2), Object.keys(options), 3);
    throw new UsageError(`${name} is not an option${meant === undefined ? "" : `; did you mean --${meant}?`} ${help}`);
  }
}
