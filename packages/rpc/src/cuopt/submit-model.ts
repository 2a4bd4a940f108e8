// A job from a model in memory, by the checks and the way of one from the wire: for hosts that read model files themselves.
import { type Caller, type Context, jobIdFor, type NewJob, submitJob } from "@sortie/core";
import { type Problem, problemArrays, type SolveSettings } from "@sortie/solve";
import { ARRAY_FIELDS } from "./array-fields.ts";
import { storeInput } from "./handlers.ts";
import { modelJob } from "./intake.ts";

export interface NewModel {
  readonly problem: Problem;
  /** Their kind says whether integrality counts. */
  readonly settings: SolveSettings;
  /** For the job's log. */
  readonly notes: readonly string[];
  readonly idempotency: NewJob["idempotency"];
  readonly inboxFile?: string | undefined;
}

/**
 * Submits the model as a job.
 * @throws ValidationError with every fault of the model; DomainError as `submitJob` of @sortie/core
 */
export async function submitModel(
  context: Context,
  caller: Caller,
  { problem, settings, notes, idempotency, inboxFile }: NewModel,
): Promise<{ readonly jobId: string; readonly created: boolean }> {
  const started = context.clock.now();
  const brought = problemArrays(problem, settings.kind);
  const { job: found, arrays } = modelJob(
    {
      kind: settings.kind,
      maximize: problem.maximize,
      objectiveScaling: problem.objectiveScaling,
      objectiveOffset: problem.objectiveOffset,
      problemName: problem.name,
      objectiveName: problem.objectiveName,
      trackIncumbents: true,
    },
    {
      arrays: new Map(
        ARRAY_FIELDS.flatMap(({ id, modelName }) => {
          const array = modelName && brought[modelName];
          return array ? [[id, array]] : [];
        }),
      ),
      variableNames: problem.variableNames ?? [],
      rowNames: problem.rowNames ?? [],
    },
    { settings, notes },
    idempotency,
  );
  const job = { ...found, inboxFile };
  const jobId = jobIdFor(context, caller, job);
  return submitJob(context, caller, jobId, job, () => storeInput(context, jobId, arrays), started);
}
