// Rules of pictures: every port and connection is in them, odd names break nothing, and a PNG is a PNG with text in it.
import { describe, expect, it } from "vitest";
import { dotOfPipeline, dotOfPreview, mermaidOfPipeline, pngOfSvg, svgOfDot } from "./index.ts";

const pipeline = {
  name: 'An "odd" <name>',
  nodes: [
    {
      name: "Data",
      className: "cuvis_ai.node.data.LentilsAnomalyDataNode",
      inputs: [{ name: "cube", dtype: "any" }],
      outputs: [{ name: "cube", dtype: "float32" }],
    },
    {
      name: "a & b",
      className: "RX",
      inputs: [{ name: "data", dtype: "float32" }],
      outputs: [{ name: "scores", dtype: "float32" }],
    },
  ],
  connections: [{ from: { node: "Data", port: "cube" }, to: { node: "a & b", port: "data" } }],
};

describe("a picture of a pipeline", () => {
  it("has a table per node and an edge per connection", () => {
    const dot = dotOfPipeline(pipeline);
    expect(dot).toMatch(/^digraph "An \\"odd\\" <name>" \{\n {2}rankdir=LR;/);
    expect(dot).toContain('"Node 1":"out_cube":e -> "Node 2":"in_data":w;');
    expect(dot).toContain("<B>a &amp; b</B>");
  });

  it("is drawn as SVG with every name", async () => {
    const svg = await svgOfDot(dotOfPipeline(pipeline));
    for (const text of ["Data", "LentilsAnomalyDataNode", "a &amp; b", "scores"]) expect(svg).toContain(text);
    expect(svg).toContain("<svg");
  });

  it("is drawn as PNG, larger with more nodes", async () => {
    const one = await pngOfSvg(await svgOfDot(dotOfPipeline({ ...pipeline, nodes: pipeline.nodes.slice(0, 1) })));
    const two = await pngOfSvg(await svgOfDot(dotOfPipeline(pipeline)));
    expect([...two.subarray(0, 8)]).toEqual([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
    const widthOf = (png: Uint8Array) => new DataView(png.buffer, png.byteOffset).getUint32(16);
    expect(widthOf(two)).toBeGreaterThan(widthOf(one));
  });

  it("shows text, not boxes for missing letters", async () => {
    const draw = async (text: string) =>
      (await pngOfSvg(await svgOfDot(dotOfPreview("x", [{ name: text, className: "" }], [])))).byteLength;
    // A font without letters would draw the same box for each.
    expect(await draw("iiiiiiii")).not.toBe(await draw("WWWWWWWW"));
  });

  it("is Mermaid text with one line per node and connection", () => {
    expect(mermaidOfPipeline(pipeline)).toBe(
      "flowchart LR\n    Data[Data]\n    a___b[a & b]\n    Data -->|cube --> data| a___b\n",
    );
  });
});

describe("a preview", () => {
  it("needs names only, and names both ports of an edge where they differ", () => {
    const connections = [
      { from: { node: "a", port: "x" }, to: { node: "b", port: "x" } },
      { from: { node: "a", port: "x" }, to: { node: "b", port: "y" } },
    ];
    const dot = dotOfPreview(
      undefined,
      [
        { name: "a", className: "no.such.Class" },
        { name: "b", className: "B" },
      ],
      connections,
    );
    expect(dot).toMatch(/^digraph "pipeline" \{/);
    expect(dot).toContain('bgcolor="transparent"');
    expect(dot).toContain('"a" [label="a\\nClass"];');
    expect(dot).toContain('"a" -> "b" [label="x"];');
    expect(dot).toContain('"a" -> "b" [label="x → y"];');
  });

  it("of nothing says so", () => {
    expect(dotOfPreview("p", [], [])).toContain("(empty pipeline)");
  });
});
