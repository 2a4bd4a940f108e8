// What a picture shows of a pipeline.
import type { PortSpec } from "../nodes/node-type.ts";
import type { Pipeline } from "../pipeline/pipeline.ts";
import type { PicturePipeline } from "./dot.ts";

export function pictureOf(pipeline: Pipeline): PicturePipeline {
  const ports = (specs: readonly PortSpec[]) => specs.map(({ name, type }) => ({ name, dtype: type }));
  return {
    name: pipeline.name,
    nodes: pipeline.nodes.map(({ name, type }) => ({
      name,
      className: type.className,
      inputs: ports(type.inputs),
      outputs: ports(type.outputs),
    })),
    connections: pipeline.connections.map(({ from, output, to, input }) => ({
      from: { node: from.name, port: output },
      to: { node: to.name, port: input },
    })),
  };
}
