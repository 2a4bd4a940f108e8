// What the SDK reports, as the domain says it.
import { DomainError } from "@sortie/core";
import { describe, expect, it } from "vitest";
import { awsFault } from "./faults.ts";

const failed = (name: string, more: object = {}) => Object.assign(new Error("arn:aws:secret"), { name, ...more });

describe("faults", () => {
  it.each([
    [failed("ThrottlingException", { $metadata: { httpStatusCode: 400 } }), /throttling/],
    [failed("SlowDown", { $metadata: { httpStatusCode: 503 } }), /throttling/],
    [failed("CredentialsProviderError"), /not allowed/],
    [failed("403", { $metadata: { httpStatusCode: 403 } }), /not allowed/],
    [failed("NoSuchBucket", { $metadata: { httpStatusCode: 404 } }), /does not exist/],
    [failed("TimeoutError"), /no answer in time/],
    [failed("Error", { code: "ECONNREFUSED" }), /cannot be reached/],
    [failed("InternalError", { $fault: "server", $metadata: { httpStatusCode: 500 } }), /failed/],
  ])("%s is unavailable, without the SDK's words", (error, text) => {
    const fault = awsFault(error, "table sortie") as DomainError;
    expect(fault).toBeInstanceOf(DomainError);
    expect(fault.reason).toBe("unavailable");
    expect(fault.message).toMatch(text);
    expect(fault.message).toMatch(/^table sortie: /);
    expect(fault.message).not.toContain("secret");
    expect(fault.cause).toBe(error);
  });

  it("a request that was wrong is a mistake of ours, not a fault of the platform", () => {
    const error = failed("ValidationException", { $fault: "client", $metadata: { httpStatusCode: 400 } });
    const fault = awsFault(error, "table sortie");
    expect(fault).not.toBeInstanceOf(DomainError);
    expect((fault as Error).message).toBe("table sortie: the service refused the request (ValidationException)");
  });

  it("an aborted call has the signal's reason, whatever the SDK made of it", () => {
    const reason = new Error("client left");
    expect(awsFault(failed("AbortError"), "table sortie", AbortSignal.abort(reason))).toBe(reason);
  });

  it("domain errors pass", () => {
    const error = new DomainError("too-large", "a row");
    expect(awsFault(error, "table sortie")).toBe(error);
  });
});
