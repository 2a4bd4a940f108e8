// What a command of the `sortie` program is. To add one: a file under commands/ and an entry in command-list.ts.
import type { ParseArgsOptionDescriptor } from "node:util";

/** Options of a command by their names without dashes, as `parseArgs` takes them. */
export interface OptionTable {
  readonly [name: string]: ParseArgsOptionDescriptor & {
    /** All that the value may be, for shell completion. */
    readonly values?: readonly string[];
  };
}

export interface CommandProgram {
  /**
   * @param args what stands after the command's name, `--help` included
   * @returns the exit code
   */
  readonly run: (args: readonly string[]) => Promise<number>;
  /** What `run` takes, for shell completion. */
  readonly options: OptionTable;
}

export interface Command {
  readonly name: string;
  /** One line for `sortie --help`. */
  readonly summary: string;
  /** Words of which one stands after the command's name. */
  readonly words?: readonly string[];
  /** Loads the program of the command. On demand: most commands need little of what the server needs. */
  load(): Promise<CommandProgram>;
}
