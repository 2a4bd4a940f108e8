// Every command of the `sortie` program, in the order of its help. To add one: a file under commands/ and an entry here.
import type { Command } from "./command.ts";

export const COMMANDS: readonly Command[] = [
  {
    name: "serve",
    summary: "run the server",
    load: async () => import("./commands/serve.ts").then((it) => ({ run: it.serve, options: it.OPTIONS })),
  },
  {
    name: "solve",
    summary: "solve a model file",
    load: async () => import("./commands/solve.ts").then((it) => ({ run: it.solve, options: it.OPTIONS })),
  },
  {
    name: "submit",
    summary: "upload a model file and leave",
    load: async () => import("./commands/submit.ts").then((it) => ({ run: it.submit, options: it.OPTIONS })),
  },
  {
    name: "status",
    summary: "tell where jobs stand",
    load: async () => import("./commands/status.ts").then((it) => ({ run: it.status, options: it.OPTIONS })),
  },
  {
    name: "wait",
    summary: "wait until jobs have ended",
    load: async () => import("./commands/wait.ts").then((it) => ({ run: it.wait, options: it.OPTIONS })),
  },
  {
    name: "result",
    summary: "bring the result of a job home",
    load: async () => import("./commands/result.ts").then((it) => ({ run: it.result, options: it.OPTIONS })),
  },
  {
    name: "logs",
    summary: "print the log of a job, and follow it",
    load: async () => import("./commands/logs.ts").then((it) => ({ run: it.logs, options: it.OPTIONS })),
  },
  {
    name: "incumbents",
    summary: "print the feasible solutions that a job has found",
    load: async () => import("./commands/incumbents.ts").then((it) => ({ run: it.incumbents, options: it.OPTIONS })),
  },
  {
    name: "cancel",
    summary: "stop jobs",
    load: async () => import("./commands/cancel.ts").then((it) => ({ run: it.cancel, options: it.OPTIONS })),
  },
  {
    name: "delete",
    summary: "remove jobs with all that belongs to them",
    load: async () => import("./commands/delete.ts").then((it) => ({ run: it.deleteJobs, options: it.OPTIONS })),
  },
  {
    name: "jobs",
    summary: "list the jobs of a server",
    load: async () => import("./commands/jobs.ts").then((it) => ({ run: it.jobs, options: it.OPTIONS })),
  },
  {
    name: "convert",
    summary: "write a model file in another format",
    load: async () => import("./commands/convert.ts").then((it) => ({ run: it.convert, options: it.OPTIONS })),
  },
  {
    name: "check",
    summary: "look for mistakes in a model file",
    load: async () => import("./commands/check.ts").then((it) => ({ run: it.check, options: it.OPTIONS })),
  },
  {
    name: "infer",
    summary: "run a pipeline on hyperspectral cubes",
    load: async () => import("./commands/infer.ts").then((it) => ({ run: it.infer, options: it.OPTIONS })),
  },
  {
    name: "fit",
    summary: "fit the statistical nodes of a pipeline",
    load: async () => import("./commands/fit.ts").then((it) => ({ run: it.fit, options: it.OPTIONS })),
  },
  {
    name: "pipeline",
    summary: "export a pipeline as ONNX, or draw it",
    words: ["export", "show"],
    load: async () => import("./commands/pipeline.ts").then((it) => ({ run: it.pipeline, options: it.OPTIONS })),
  },
  {
    name: "token",
    summary: "make, list and revoke API tokens",
    words: ["create", "list", "revoke"],
    load: async () => import("./commands/token.ts").then((it) => ({ run: it.token, options: it.OPTIONS })),
  },
  {
    name: "webhook",
    summary: "show the secret of a tenant's webhooks",
    words: ["secret"],
    load: async () => import("./commands/webhook.ts").then((it) => ({ run: it.webhook, options: it.OPTIONS })),
  },
  {
    name: "doctor",
    summary: "find out whether a server can be reached, and what is wrong if not",
    load: async () => import("./commands/doctor.ts").then((it) => ({ run: it.doctor, options: it.OPTIONS })),
  },
  {
    name: "completion",
    summary: "print a script that completes commands and options in a shell",
    words: ["bash", "zsh", "fish"],
    load: async () => import("./commands/completion.ts").then((it) => ({ run: it.completion, options: it.OPTIONS })),
  },
];
