// What a page does that solves a MIP: connects, follows its incumbents while it is solved, and shows what came.
import type { ProblemMessage, SortieClient } from "@sortie/client";
import { connect } from "@sortie/client/web";
import { show } from "./show.ts";

export interface SolvedInBrowser {
  readonly isSortie: boolean;
  readonly objective: number;
  readonly values: number;
  /** Objectives of the incumbents, in the order in which they came. */
  readonly incumbents: readonly number[];
  readonly logLines: number;
}

/** A problem as JSON: each array with the name of its type, numbers as words, since JSON knows no infinity. */
export interface ProblemJson extends Omit<ProblemMessage, "arrays"> {
  readonly arrays: readonly (readonly [id: number, type: "Float64Array" | "Int32Array" | "Uint8Array", string[]])[];
}

const TYPES = { Float64Array, Int32Array, Uint8Array };

async function solve(server: string, protocol: "connect" | "grpc-web"): Promise<SolvedInBrowser> {
  const json = (await (await fetch("/problem.json")).json()) as ProblemJson;
  const arrays = new Map(json.arrays.map(([id, type, values]) => [id, TYPES[type].from(values.map(Number))]));
  const problem = { ...json, arrays } as ProblemMessage;
  await using client: SortieClient = await connect(server, { protocol });
  const jobId = await client.submit(problem);
  const incumbents: number[] = [];
  for await (const { objective } of client.incumbents(jobId)) incumbents.push(objective);
  let logLines = 0;
  for await (const _line of client.logs(jobId)) logLines += 1;
  await client.wait(jobId);
  const result = await client.result(jobId);
  if (result.kind !== "mip") throw new Error(`asked for a MIP, and a solution of kind ${result.kind} came`);
  await client.delete(jobId);
  const objective = result.scalars.mipObjective;
  show(`Objective: ${objective}`);
  const values = [...result.arrays.values()].reduce((most, { length }) => Math.max(most, length), 0);
  return { isSortie: client.server?.isSortie ?? false, objective, values, incumbents, logLines };
}

Object.assign(globalThis, { solve });
