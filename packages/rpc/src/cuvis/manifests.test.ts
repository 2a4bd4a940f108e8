// Rules of plugin manifests, and of what pipelines may ask of the plugins that a session has registered.
import type { SessionState } from "@sortie/sessions";
import { describe, expect, it } from "vitest";
import { checkManifest, readObject, splitOlderManifest } from "./manifests.ts";
import type { PipelineModel } from "./models.ts";
import { checkPlugins } from "./plugin-rules.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const GOOD = { name: "mine", path: "/opt/mine", capabilities: [{ class_name: "mine.Node" }] };

describe("a manifest", () => {
  it("is taken with its defaults", () => {
    expect(checkManifest(GOOD)).toMatchObject({
      name: "mine",
      capabilities: [{ class_name: "mine.Node", kind: "node" }],
    });
  });

  it("says every fault at once, by its place", () => {
    const answer = checkManifest({
      name: "no identifier",
      path: "x",
      capabilities: [{ class_name: "dotless" }],
      more: 1,
    });
    expect(answer).toMatch(/^no identifier: .*name: .*capabilities\.0\.class_name: .*more/);
  });

  it("of today has an absolute path, an older one need not", () => {
    expect(checkManifest({ ...GOOD, path: "relative" })).toMatch(/path: 'relative' must be absolute/);
    expect(checkManifest({ ...GOOD, path: "relative" }, true)).toMatchObject({ path: "relative" });
  });

  it("of a class given as a model names the model", () => {
    const capabilities = [{ class_name: "mine.Node", source: "onnx" }];
    expect(checkManifest({ ...GOOD, capabilities })).toMatch(/model is required/);
  });

  it("of older clients holds several plugins", () => {
    const plugins = { a: { path: "a", provides: ["a.A", "a.B"] }, b: "nonsense" };
    const [first, second] = splitOlderManifest({ plugins });
    expect(first).toEqual({
      name: "a",
      manifest: { name: "a", path: "a", capabilities: [{ class_name: "a.A" }, { class_name: "a.B" }] },
    });
    expect(checkManifest(second!.manifest, true)).toMatch(/^b: /);
    expect(() => splitOlderManifest({ plugins: [] })).toThrow("plugins must be a mapping");
  });
});

describe("JSON of a client", () => {
  it.each(["", "{", "[]", "1", "null", "\uFFFE"])("%j is no object", (text) => {
    expect(() => readObject(bytes(text), "the_field")).toThrow("the_field");
  });

  it("may not be anything but UTF-8", () => {
    expect(() => readObject(Uint8Array.of(0x7b, 0xff, 0x7d), "the_field")).toThrow("the_field is not valid JSON");
  });
});

describe("a pipeline", () => {
  const config = (class_name: string, plugins: string[] | null = null): PipelineModel => ({
    plugins,
    nodes: [{ name: "n", class_name, hparams: {} }],
    connections: [],
  });
  const OURS = "cuvis_ai.anomaly.rx_detector.RXGlobal";
  const registered = (...manifests: object[]): SessionState => ({
    searchPaths: [],
    plugins: manifests.map((manifest) => checkManifest(manifest as Record<string, unknown>)) as never,
  });

  it("of our own classes needs no plugin, unless that is asked for", () => {
    expect(() => checkPlugins(config(OURS, ["builtin"]), registered(), false)).not.toThrow();
    expect(() => checkPlugins(config(OURS, ["builtin"]), registered(), true)).toThrow(/builtin.*LoadPlugin/);
    expect(() => checkPlugins(config(OURS), registered(), true)).toThrow(/names no plugins/);
    expect(() => checkPlugins(config(OURS, ["mine"]), registered(GOOD), true)).toThrow(
      /No named plugin provides.*RXGlobal/,
    );
  });

  it("of other classes is told which plugin would have them", () => {
    expect(() => checkPlugins(config("mine.Node"), registered(GOOD), false)).toThrow(/registered ones.*mine/);
    expect(() => checkPlugins(config("mine.Node", ["mine"]), registered(GOOD), false)).toThrow(/never run/);
  });

  it("may use a class that is given as a model", () => {
    const capabilities = [{ class_name: "mine.Node", source: "onnx", model: "node.onnx" }];
    const state = registered({ ...GOOD, capabilities });
    expect(() => checkPlugins(config("mine.Node", ["mine"]), state, false)).not.toThrow();
  });
});
