// Rules of YAML in configurations: version 1.1, with floats that need no point.
import { describe, expect, it } from "vitest";
import { ConfigError } from "./errors.ts";
import { type ConfigValue, Float } from "./values.ts";
import { parseYaml } from "./yaml.ts";

const value = (text: string): ConfigValue | undefined =>
  (parseYaml(`v: ${text}`, "t.yaml") as Map<string, ConfigValue>).get("v");

describe("a plain scalar", () => {
  it.each<[string, ConfigValue]>([
    ["1e-3", new Float(0.001)],
    ["1E5", new Float(1e5)],
    ["1.0", new Float(1)],
    ["1.", new Float(1)],
    [".5", new Float(0.5)],
    ["-.inf", new Float(Number.NEGATIVE_INFINITY)],
    [".nan", new Float(Number.NaN)],
    ["1_000.5", new Float(1000.5)],
    ["12", 12],
    ["-3", -3],
    ["1_000", 1000],
    ["0x1F", 31],
    ["0b101", 5],
    ["017", 15],
    ["1:30", 90],
    ["0", 0],
    ["yes", true],
    ["Off", false],
    ["true", true],
    ["~", null],
    ["", null],
    ["null", null],
    ["y", "y"],
    ["2026-11-21", "2026-11-21"],
    ["e5", "e5"],
    ["1e", "1e"],
    ["32-true", "32-true"],
    ["08", "08"],
    ["'1e-3'", "1e-3"],
    ['"yes"', "yes"],
    ["!!str 12", "12"],
    ["text with spaces", "text with spaces"],
  ])("%j means %j", (text, expected) => {
    expect(value(text)).toEqual(expected);
  });
});

describe("YAML", () => {
  it("keeps the order of keys, as texts", () => {
    expect([...(parseYaml("b: 1\na: 2\n7: x\n", "t") as Map<string, ConfigValue>).keys()]).toEqual(["b", "a", "7"]);
  });

  it("merges with <<, own keys winning", () => {
    const map = parseYaml("base: &b {x: 1, y: 2}\nv:\n  <<: *b\n  y: 3\n", "t") as Map<string, ConfigValue>;
    expect(map.get("v")).toEqual(
      new Map([
        ["y", 3],
        ["x", 1],
      ]),
    );
  });

  it("of nothing is null", () => {
    expect(parseYaml("", "t")).toBeNull();
    expect(parseYaml("# only a comment\n", "t")).toBeNull();
  });

  it.each<[string, string, RegExp]>([
    ["16. that is broken", "{ this is: [not valid yaml", /^t\.yaml: invalid YAML/],
    ["with a key twice", "a: 1\na: 2\n", /invalid YAML/],
    ["with a class", "a: !!python/object:os.system {}", /invalid YAML/],
    ["with an alias of nothing", "a: *b", /invalid YAML/],
    ["nested beyond all reason", "[".repeat(20_000) + "]".repeat(20_000), /invalid YAML/],
    ["with two documents", "a: 1\n---\nb: 2\n", /invalid YAML/],
  ])("%s is refused", (_, text, message) => {
    expect(() => parseYaml(text, "t.yaml")).toThrow(ConfigError);
    expect(() => parseYaml(text, "t.yaml")).toThrow(message);
  });

  it("that grows through its aliases is refused", () => {
    const lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"];
    for (let i = 1; i < 9; i++)
      lines.push(
        `a${i}: &a${i} [${Array(10)
          .fill(`*a${i - 1}`)
          .join(", ")}]`,
      );
    expect(() => parseYaml(lines.join("\n"), "t.yaml")).toThrow(/aliases counted/);
  });
});
