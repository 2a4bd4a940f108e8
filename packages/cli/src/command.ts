// What a command of the `sortie` program is. To add one: a file under commands/ and an entry in main.ts.

export interface Command {
  readonly name: string;
  /** One line for `sortie --help`. */
  readonly summary: string;
  /**
   * Loads the program of the command, which runs with the arguments after the command's name, `--help` included, and
   * resolves with the exit code. Loaded on demand: most commands need little of what the server needs.
   */
  load(): Promise<(args: readonly string[]) => Promise<number>>;
}
