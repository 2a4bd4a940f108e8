// Rules of what clients are told of faults: whose they are, in which words, and nothing of the inside.
import { Code, ConnectError } from "@connectrpc/connect";
import { DomainError } from "@sortie/core";
import { ConfigError, DataError, FormatError, PipelineError } from "@sortie/pipeline";
import { expect, it } from "vitest";
import { internalError } from "../host/error-guard.ts";
import { CuvisError, toCuvisError } from "./errors.ts";

it.each([
  [new CuvisError(Code.NotFound, "no file"), Code.NotFound, "no file"],
  [new DomainError("session-unknown", "no session"), Code.NotFound, "no session"],
  [new PipelineError("invalid-value", "wrong"), Code.InvalidArgument, "wrong"],
  [new PipelineError("unknown-class", "nobody's"), Code.Internal, "Inference failed: nobody's"],
  [new PipelineError("missing-input", "no cube"), Code.Internal, "Inference failed: no cube"],
  [new ConfigError("composition", "broken"), Code.Internal, "Inference failed: broken"],
  [new ConfigError("interpolation", "lost"), Code.InvalidArgument, "lost"],
  [new DataError("not-found", "no data"), Code.InvalidArgument, "no data"],
  [new FormatError("a.pt", "is torn"), Code.Internal, "Inference failed: a.pt: is torn"],
])("%s", (error, code, text) => {
  const told = toCuvisError(error, "Inference failed") as ConnectError;
  expect(told).toBeInstanceOf(ConnectError);
  expect([told.code, told.rawMessage]).toEqual([code, expect.stringContaining(text)]);
});

it("what nobody expected is told as what failed, and logged with all there is to know", () => {
  const logged: object[] = [];
  const fault = new TypeError("secret of the inside");
  const log = { error: (fields: object) => logged.push(fields) };
  const told = internalError(log, toCuvisError(fault, "Inference failed"), "CuvisAIService/Inference");
  expect(told.code).toBe(Code.Internal);
  expect(told.rawMessage).toMatch(/^Inference failed: internal error \(id [0-9a-f-]{36}\)$/);
  expect(logged).toMatchObject([{ err: fault }]);
});
