// The thread that HiGHS runs in: it loads the solver, then takes one order after the other.
import { parentPort, workerData } from "node:worker_threads";
import highsLoader from "highs";
import { EngineError } from "../engine.ts";
import { ValidationError } from "../problem.ts";
import { defaultSettings } from "../settings.ts";
import { VariableFault } from "./highs-model.ts";
import type { SolveOrder, ThreadData, ThreadMessage } from "./highs-protocol.ts";
import { Cancelled, type HighsLog, type Outlets } from "./highs-run.ts";
import { solveWithHighs } from "./highs-solve.ts";
import { warmUpProblem } from "./warm-up.ts";

const port = parentPort!;
const log: HighsLog = { sink: undefined };
const print = (line: string): void => log.sink?.(line);
// The package's types describe its CommonJS form, where the loader is a property; the ES module's default is the loader.
const loadHighs = highsLoader as unknown as typeof highsLoader.default;
const highs = await loadHighs({ wasmModule: (workerData as ThreadData).module, print, printErr: print });

const nowhere: Outlets = { log() {}, incumbent() {}, progress() {}, stop: () => 0 };
for (const kind of ["lp", "mip"] as const) {
  // The first solve of each kind compiles the code that it runs through.
  solveWithHighs(highs, log, { problem: warmUpProblem(kind), kind, settings: defaultSettings(kind) }, nowhere);
}
port.on("message", (order: SolveOrder) => send(answer(order)));
send({ type: "ready" });

function answer(order: SolveOrder): ThreadMessage {
  const stop = new Int32Array(order.stop);
  const outlets: Outlets = {
    log: (line) => send({ type: "log", line }),
    incumbent: (incumbent, violations) => send({ type: "incumbent", incumbent, violations }),
    progress: (progress) => send({ type: "progress", progress }),
    stop: () => Atomics.load(stop, 0),
  };
  try {
    const solution = solveWithHighs(highs, log, order, outlets);
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
