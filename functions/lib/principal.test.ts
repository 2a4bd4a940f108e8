// Rules of the names that signed requests are known by.
import { expect, it } from "vitest";
import { principalName } from "./principal.ts";

it.each([
  ["arn:aws:iam::123456789012:user/team/ada", "arn:aws:iam::123456789012:user/team/ada"],
  ["arn:aws:iam::123456789012:root", "arn:aws:iam::123456789012:root"],
  ["arn:aws:sts::123456789012:assumed-role/Solver/i-0123", "arn:aws:sts::123456789012:assumed-role/Solver"],
  ["arn:aws-cn:sts::123456789012:assumed-role/Solver/ada@x", "arn:aws-cn:sts::123456789012:assumed-role/Solver"],
])("%s is %s in every session", (arn, name) => {
  expect(principalName(arn)).toBe(name);
});
