// What must hold before a gradient training can start.
import type { Pipeline } from "@sortie/pipeline";
import type { Json, SessionState } from "@sortie/sessions";
import { invalid } from "./errors.ts";

const namesOf = (trainRun: Json, list: string): readonly string[] => (trainRun[list] ?? []) as readonly string[];

/**
 * @param training the configuration that the training would use; undefined if there is none
 * @param build makes a pipeline of one's own: its nodes are unfrozen to see what could be trained
 * @throws CuvisError INVALID_ARGUMENT; PipelineError "unknown-node"
 */
export async function checkGradient(
  state: SessionState,
  training: Json | undefined,
  build: () => Promise<Pipeline>,
): Promise<void> {
  if (!training) throw invalid("No training configuration: send training, or set one with SetTrainRunConfig");
  const { trainRun } = state;
  if (!trainRun || namesOf(trainRun, "loss_nodes").length === 0) {
    throw invalid("Gradient training needs loss_nodes in a train run configuration: call SetTrainRunConfig");
  }
  const scheduler = (training["scheduler"] as Json | null | undefined)?.["name"];
  if (typeof scheduler === "string" && scheduler.toLowerCase() === "plateau") {
    throw invalid("Scheduler 'plateau' cannot be run; its name is reduce_on_plateau");
  }
  const pipeline = await build();
  for (const list of ["loss_nodes", "metric_nodes"]) {
    for (const name of namesOf(trainRun, list)) pipeline.node(name);
  }
  for (const name of namesOf(trainRun, "unfreeze_nodes")) pipeline.unfreeze(name);
  if (pipeline.trainable().length === 0) {
    throw invalid("Nothing to train: no node has parameters, and unfreeze_nodes make none");
  }
}
