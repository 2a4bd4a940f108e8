// A pipeline as Mermaid text.
import type { PicturePipeline } from "./dot.ts";

/** What Mermaid takes as an identifier. */
const identifier = (name: string): string => name.replaceAll(/[^A-Za-z0-9_-]/g, "_");
const label = (text: string): string => text.replaceAll(/["[\]|]/g, " ");

export function mermaidOfPipeline({ nodes, connections }: PicturePipeline): string {
  const lines = ["flowchart LR"];
  for (const { name } of nodes) lines.push(`    ${identifier(name)}[${label(name)}]`);
  for (const { from, to } of connections) {
    const text = `${label(from.port)} --> ${label(to.port)}`;
    lines.push(`    ${identifier(from.node)} -->|${text}| ${identifier(to.node)}`);
  }
  return `${lines.join("\n")}\n`;
}
