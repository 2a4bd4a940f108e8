// What is documented of events is what is sent.
import { readFileSync } from "node:fs";
import { Ajv2020 } from "ajv/dist/2020.js";
import { describe, expect, it } from "vitest";
import { JOB_EVENT_SCHEMA, JOB_EVENT_TYPES, type JobEventBody } from "./index.ts";

const page = readFileSync(new URL("../../../docs/events.md", import.meta.url), "utf8");
const examples = [...page.matchAll(/```json\n(.*?)```/gs)].map(([, text]): JobEventBody => JSON.parse(String(text)));
const validate = new Ajv2020({ formats: { "date-time": /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/ } }).compile(
  JOB_EVENT_SCHEMA,
);

describe("the page on events", () => {
  it("has examples that keep the schema", () => {
    expect(examples.length).toBeGreaterThanOrEqual(3);
    for (const example of examples) expect(validate(example), JSON.stringify(validate.errors)).toBe(true);
  });

  it("names every type and every field", () => {
    for (const name of [...JOB_EVENT_TYPES, ...Object.keys(JOB_EVENT_SCHEMA.properties)])
      expect(page).toContain(`\`${name}\``);
  });

  it("has the schema beside it", () => {
    const beside = readFileSync(new URL("../../../docs/job-event.schema.json", import.meta.url), "utf8");
    expect(JSON.parse(beside)).toEqual(JOB_EVENT_SCHEMA);
  });
});

describe("the schema", () => {
  it.each([
    ["another version", { version: 2 }],
    ["an unknown type", { type: "Job Lost" }],
    ["an unknown field", { colour: "red" }],
    ["no attempt", { attempt: undefined }],
    ["an objective that is no number", { objective: "Infinity" }],
  ])("refuses %s", (_, change) => {
    expect(validate(JSON.parse(JSON.stringify({ ...examples[0], ...change })))).toBe(false);
  });
});
