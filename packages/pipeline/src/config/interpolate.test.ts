// Rules of interpolations.
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: interpolations are what is tested
import { describe, expect, it } from "vitest";
import { resolveInterpolations, resolveWithin, strftime } from "./interpolate.ts";
import { type ConfigMap, toPlain } from "./values.ts";
import { parseYaml } from "./yaml.ts";

const read = (text: string): ConfigMap => parseYaml(text, "t") as ConfigMap;
const resolve = (text: string, context = {}) =>
  toPlain(resolveInterpolations(read(text), context)) as Record<string, unknown>;

describe("an interpolation", () => {
  it.each<[string, string, unknown]>([
    ["takes a value with its type", "a: 3\nv: ${a}", 3],
    ["takes a mapping whole", "a: {b: [1, 2]}\nv: ${a}", { b: [1, 2] }],
    ["follows dots", "a: {b: {c: x}}\nv: ${a.b.c}", "x"],
    ["follows numbers into lists", "a: [{b: 1}, {b: 2}]\nv: ${a.1.b}", 2],
    ["follows brackets", "a: [1, 2]\nv: ${a[1]}", 2],
    ["becomes part of a text", "a: 3\nv: x/${a}/y", "x/3/y"],
    ["keeps a float a float in a text", "a: 1.0\nb: 1e-6\nv: ${a}-${b}", "1.0-1e-06"],
    ["writes what is no text as Python does", "a: null\nb: true\nv: ${a}${b}", "NoneTrue"],
    ["may stand within another", "k: b\na: {b: 5}\nv: ${a.${k}}", 5],
    ["leads through another", "c: {d: 7}\na: ${c}\nv: ${a.d}", 7],
    ["is taken literally behind a backslash", "v: \\${a}", "${a}"],
  ])("%s", (_, text, expected) => {
    expect(resolve(text)["v"]).toEqual(expected);
  });

  it("may be relative: one dot for siblings, each further one a level up", () => {
    expect(resolve("x: 1\na:\n  x: 2\n  b:\n    x: 3\n    v: ${.x}\n    w: ${..x}\n    u: ${...x}\n")["a"]).toEqual({
      x: 2,
      b: { x: 3, v: 3, w: 2, u: 1 },
    });
  });

  it("reads the environment only as far as it is shown", () => {
    const env = (name: string) => (name === "HOME_DIR" ? "/h" : undefined);
    expect(resolve("v: ${oc.env:HOME_DIR}/x", { env })["v"]).toBe("/h/x");
    expect(resolve("v: ${oc.env:SECRET,none}", { env })["v"]).toBe("none");
    expect(resolve("v: ${oc.env:SECRET,null}", { env })["v"]).toBeNull();
    expect(() => resolve("v: ${oc.env:PATH}")).toThrow("environment variable 'PATH' not found (at 'v')");
  });

  it("tells the time", () => {
    const now = new Date(2026, 10, 2, 3, 4, 5);
    expect(resolve("v: ${now:%Y-%m-%d}/${now:%H-%M-%S}", { now })["v"]).toBe("2026-11-02/03-04-05");
    expect(strftime(now, "%y %j %I %p %b %A %% %Q")).toBe("26 306 03 AM Nov Monday % %Q");
  });

  it.each<[string, string, RegExp]>([
    ["22. to nothing", "v: ${nope}", /interpolation key 'nope' not found \(at 'v'\)/],
    ["to nothing below something", "a: 1\nv: ${a.b}", /key 'a\.b' not found/],
    ["above the top", "v: ${..x}", /key '\.\.x' not found/],
    ["in a circle", "a: ${b}\nb: ${a}", /leads back to itself/],
    ["into what holds it", "a:\n  b: ${a}", /leads back to itself/],
    ["without an end", "v: ${a", /lacks its closing brace/],
    [
      "of an unknown kind",
      "v: ${hydra:runtime.cwd}",
      /interpolation type 'hydra' is not supported; allowed are oc\.env and now/,
    ],
    ["of a list within a text", "a: [1]\nv: x${a}", /cannot become part of a text/],
    ["to what is not set yet", "a: ???\nv: ${a}", /has no value yet/],
    ["nested beyond all reason", `v: ${"${".repeat(50_000)}`, /nested too deeply|closing brace/],
    ["of no name", "v: ${}", /not found/],
  ])("%s is refused", (_, text, message) => {
    expect(() => resolve(text)).toThrow(message);
    expect(() => resolve(text)).toThrow(expect.objectContaining({ reason: "interpolation" }));
  });

  it("that grows without bounds is refused", () => {
    const lines = ["a0: [x, x, x, x, x, x, x, x, x, x]"];
    for (let i = 1; i < 9; i++)
      lines.push(
        `a${i}: [${Array(10)
          .fill(`"\${a${i - 1}}"`)
          .join(", ")}]`,
      );
    expect(() => resolve(lines.join("\n"))).toThrow(/more than 200000 values/);
    const texts = ["t0: xxxxxxxxxxxxxxxx"];
    for (let i = 1; i < 30; i++) texts.push(`t${i}: "\${t${i - 1}}\${t${i - 1}}"`);
    expect(() => resolve(texts.join("\n"))).toThrow(/more than|exceeds/);
  });
});

describe("a part of a document", () => {
  it("is resolved against the whole", () => {
    const document = read(
      "metadata: {name: rx}\nnodes:\n  - name: a\n    hparams: {bands: 61}\n  - name: b\n    hparams: {n: '${nodes.0.hparams.bands}', t: '${metadata.name}', s: '${.n}'}\n",
    );
    expect(toPlain(resolveWithin(document, ["nodes", "1", "hparams"]))).toEqual({ n: 61, t: "rx", s: 61 });
  });
});
