// The options of a command, with a hint where one is misspelt.
import { type ParseArgsConfig, parseArgs } from "node:util";
import { UsageError } from "./connect.ts";

type OptionTable = NonNullable<ParseArgsConfig["options"]>;

/**
 * A value may be a negative number: "--presolve -1".
 * @param command for the message, "check"
 * @param synonymOf the option that a name stands for elsewhere: what was meant, however it is spelt
 * @throws UsageError that says what was found, which option was probably meant, and where the options are told
 */
export async function parseOptions<const T extends OptionTable>(
  command: string,
  args: readonly string[],
  options: T,
  synonymOf: (name: string) => string | undefined = () => undefined,
) {
  try {
    return parseArgs({ args: withNegativeNumbers(args, options), allowPositionals: true, options });
  } catch (error) {
    const found = args.find((arg) => arg.startsWith("--") && !Object.hasOwn(options, arg.slice(2).split("=")[0] ?? ""));
    const isUnknown = (error as NodeJS.ErrnoException).code === "ERR_PARSE_ARGS_UNKNOWN_OPTION";
    const help = `(sortie ${command} --help tells the options)`;
    const letter = isUnknown && /^Unknown option '(-[^-])'/.exec((error as Error).message)?.[1];
    if (letter) throw new UsageError(`${letter} is not an option ${help}`);
    if (!isUnknown || found === undefined) throw new UsageError(`${(error as Error).message} ${help}`);
    const { nearest } = await import("@sortie/server");
    const name = found.split("=")[0] ?? found;
    const meant = synonymOf(name.slice(2)) ?? nearest(name.slice(2), Object.keys(options), 3);
    throw new UsageError(`${name} is not an option${meant === undefined ? "" : `; did you mean --${meant}?`} ${help}`);
  }
}

/** `--name -1` as `--name=-1`: by itself, `parseArgs` takes -1 for an option. */
function withNegativeNumbers(args: readonly string[], options: OptionTable): string[] {
  const joined: string[] = [];
  for (const arg of args) {
    const name = joined.at(-1);
    const takesValue = name?.startsWith("--") && options[name.slice(2)]?.type === "string";
    if (takesValue && /^-(\d|\.\d|inf)/i.test(arg)) joined[joined.length - 1] = `${name}=${arg}`;
    else joined.push(arg);
  }
  return joined;
}
