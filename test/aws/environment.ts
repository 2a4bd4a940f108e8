// Where the tests of the AWS adapters run: on emulators of their own on loopback, or wherever AWS_ENDPOINT_URL points
// (any emulator, or a real account), with the same tests.
import { randomBytes } from "node:crypto";

/** The endpoint from outside; undefined when each test starts its own emulator. */
export const outsideEndpoint = process.env["AWS_ENDPOINT_URL"];

// No SDK may go looking for a machine's identity while testing.
process.env["AWS_EC2_METADATA_DISABLED"] = "true";

// On emulators nothing of the caller's own account is used.
if (!outsideEndpoint) {
  for (const name of ["AWS_PROFILE", "AWS_SESSION_TOKEN"]) delete process.env[name];
  Object.assign(process.env, { AWS_ACCESS_KEY_ID: "S3RVER", AWS_SECRET_ACCESS_KEY: "S3RVER" });
}

/** Where clients are, beside their endpoint. */
export const identity = { region: (outsideEndpoint && process.env["AWS_REGION"]) || "us-east-1" };

/** A name that no other run uses. */
export const freshName = (what: string): string => `sortie-test-${what}-${randomBytes(6).toString("hex")}`;
