// `sortie solve FILE…`: model files to a server and their solutions back, one after the other.
import { EXIT_DONE, EXIT_INTERRUPTED } from "../exit-codes.ts";
import { openLive } from "../live.ts";
import { openLogFile } from "../log-file.ts";
import { chosenBy, type OpenServer, openServer } from "../open-server.ts";
import { runCommand } from "../run-command.ts";
import { parameterLines } from "../solver-parameters.ts";
import { solveFile } from "./solve-file.ts";
import { HELP, readSolveOptions, type SolveOptions } from "./solve-options.ts";
import { type Outcome, summaryTable, worstOf } from "./solve-report.ts";

export { OPTIONS } from "./solve-options.ts";

export function solve(args: readonly string[]): Promise<number> {
  return runCommand(args, HELP, async (signal) => {
    const options = await readSolveOptions(args);
    return options.dump === undefined ? await solveAll(options, signal) : dump(options);
  });
}

function dump({ settings: { lp, mip }, dump: which = "parameters" }: SolveOptions): number {
  for (const line of parameterLines({ lp: lp.settings, mip: mip.settings }, which)) process.stdout.write(line);
  return EXIT_DONE;
}

async function solveAll(options: SolveOptions, signal: AbortSignal): Promise<number> {
  // A program reads standard output then; a person may look at standard error.
  const live = options.json ? openLive(process.stderr, { transient: true }) : openLive(process.stdout);
  const isCuopt = chosenBy(options.values, process.env) === "cuopt";
  if (isCuopt) live.print("Using remote GPU backend");

  await using resources = new AsyncDisposableStack();
  const logFile = options.logFile === undefined ? undefined : resources.use(await openLogFile(options.logFile));
  let server: Promise<OpenServer> | undefined;
  // Whoever says how large a chunk may be wants chunks.
  const { chunkBytes } = options;
  const transfers = chunkBytes === undefined ? {} : { chunkBytes, unaryUpToBytes: 0 };
  const run = {
    options,
    live,
    signal,
    logFile,
    // As cuopt_cli does where those variables are set.
    showsLog: options.log ?? isCuopt,
    /** When the first model is there: a wrong file needs no server. */
    server: () => {
      server ??= (async () => {
        const opened = resources.use(await openServer("solve", options.values, transfers, signal));
        live.print(opened.words);
        return opened;
      })();
      return server;
    },
  };

  const outcomes: Outcome[] = [];
  for (const file of options.files) {
    const outcome = await solveFile(file, run);
    outcomes.push(outcome);
    if (outcome.exitCode === EXIT_INTERRUPTED) break;
  }
  live.clear();
  if (options.files.length > 1) live.print(`\n${summaryTable(outcomes)}`);
  return worstOf(outcomes.map(({ exitCode }) => exitCode));
}
