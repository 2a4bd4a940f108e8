// The Batch dispatcher keeps the promises of the port, on a stand-in of Batch. Batch keeps its own queue.
import * as aws from "@sortie/platform-aws";
import { BatchStandIn } from "../aws/batch-stand-in.ts";
import { describeDispatcher } from "./dispatcher.suite.ts";

describeDispatcher(
  "Batch",
  async (size) => {
    const batch = new BatchStandIn("cpu-queue", size, 50);
    const dispatcher = new aws.BatchDispatcher({
      batch: await batch.open(),
      placements: { cpu: { queue: "cpu-queue", definition: "cpu-worker" } },
    });
    return {
      dispatcher,
      started: async () => batch.started,
      askedToStop: async () => batch.askedToStop,
      finish: async (jobId) => batch.finish(jobId),
      workerOf: async (jobId) => batch.workerOf(jobId),
      close: async () => {
        await dispatcher[Symbol.asyncDispose]();
        await batch.close();
      },
    };
  },
  { queues: false },
);
