// The thread that HiGHS runs in: it loads the solver, then takes one order after the other.
import { parentPort, workerData } from "node:worker_threads";
import highsLoader from "highs";
import { EngineError, type Solution } from "../engine.ts";
import { ValidationError } from "../problem.ts";
import { defaultSettings } from "../settings.ts";
import { VariableFault } from "./highs-model.ts";
import type { SolveOrder, ThreadData, ThreadMessage } from "./highs-protocol.ts";
import { ActiveSetBroke, Cancelled, type HighsLog, type Outlets } from "./highs-run.ts";
import { solveWithHighs } from "./highs-solve.ts";
import { warmUpProblem } from "./warm-up.ts";

const port = parentPort!;
const log: HighsLog = { sink: undefined };
const print = (line: string): void => log.sink?.(line);
// The package's types describe its CommonJS form, where the loader is a property; the ES module's default is the loader.
const loadHighs = highsLoader as unknown as typeof highsLoader.default;
const load = () => loadHighs({ wasmModule: (workerData as ThreadData).module, print, printErr: print });
let highs = await load();

const nowhere: Outlets = { log() {}, incumbent() {}, progress() {}, stop: () => 0 };
for (const kind of ["lp", "mip"] as const) {
  // The first solve of each kind compiles the code that it runs through.
  solveWithHighs(highs, log, { problem: warmUpProblem(kind), kind, settings: defaultSettings(kind) }, nowhere);
}
port.on("message", async (order: SolveOrder) => send(await answer(order)));
send({ type: "ready" });

async function answer(order: SolveOrder): Promise<ThreadMessage> {
  const stop = new Int32Array(order.stop);
  const outlets: Outlets = {
    log: (line) => send({ type: "log", line }),
    incumbent: (incumbent, violations) => send({ type: "incumbent", incumbent, violations }),
    progress: (progress) => send({ type: "progress", progress }),
    stop: () => Atomics.load(stop, 0),
  };
  try {
    const solution = await solve(order, outlets);
    return { type: "solved", solution, memoryBytes: highs.memoryBytes };
  } catch (error) {
    const { memoryBytes } = highs;
    if (error instanceof Cancelled) return { type: "cancelled", memoryBytes };
    if (error instanceof VariableFault) {
      return { type: "invalid", text: error.message, variable: error.variable, memoryBytes };
    }
    if (error instanceof ValidationError) return { type: "invalid", text: error.message, memoryBytes };
    if (error instanceof EngineError) return { type: "failed", text: error.message, memoryBytes };
    // The loader adds advice for those who compile it.
    const text = (error instanceof Error ? error.message : String(error)).replace(/ Build with -s.*$/, "");
    return { type: "broken", text, memoryBytes };
  }
}

async function solve(order: SolveOrder, outlets: Outlets): Promise<Solution> {
  try {
    return solveWithHighs(highs, log, order, outlets);
  } catch (error) {
    if (!(error instanceof ActiveSetBroke)) throw error;
    outlets.log(`HiGHS broke in its active-set method (${error.message}); a new one goes on without that method`);
    highs = await load();
    return solveWithHighs(highs, log, { ...order, withoutActiveSet: true }, outlets);
  }
}

function send(message: ThreadMessage): void {
  port.postMessage(message, arraysOf(message));
}

/** The buffers that go over without a copy. */
function arraysOf(message: ThreadMessage): ArrayBuffer[] {
  if (message.type === "incumbent") return [message.incumbent.assignment.buffer as ArrayBuffer];
  if (message.type !== "solved") return [];
  const { solution } = message;
  const arrays = solution.kind === "lp" ? [solution.primal, solution.dual, solution.reducedCost] : [solution.solution];
  return [...new Set(arrays.map((array) => array.buffer as ArrayBuffer))];
}
