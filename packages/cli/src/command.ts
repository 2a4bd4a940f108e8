// What a command of the `sortie` program is. To add one: a file under commands/ and a line in main.ts.

export interface Command {
  readonly name: string;
  /** One line for `sortie --help`. */
  readonly summary: string;
  /** Runs with the arguments after the command's name, `--help` included. Resolves with the exit code. */
  run(args: readonly string[]): Promise<number>;
}
