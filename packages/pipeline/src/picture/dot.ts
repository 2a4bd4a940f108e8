// A pipeline as DOT text: in full, with every port, and as a preview that needs nothing but the file's names.

export interface PictureNode {
  /** Full name. */
  readonly name: string;
  /** Dotted class path. */
  readonly className: string;
  readonly inputs: readonly PicturePort[];
  readonly outputs: readonly PicturePort[];
}

export interface PicturePort {
  readonly name: string;
  readonly dtype: string;
}

export interface PictureConnection {
  readonly from: { readonly node: string; readonly port: string };
  readonly to: { readonly node: string; readonly port: string };
}

export interface PicturePipeline {
  readonly name: string;
  readonly nodes: readonly PictureNode[];
  readonly connections: readonly PictureConnection[];
}

const FONT = 'fontname="Helvetica"';

/** Ports of one kind have one colour, so that the eye finds what belongs together. */
const PORT_COLOURS: readonly (readonly [RegExp, string])[] = [
  [/^(cube|data|rgb_image|image)/, "#1f77b4"],
  [/^(mask|decisions|targets|predictions)/, "#2ca02c"],
  [/^(wavelengths|mesu_index|frame_id)/, "#9467bd"],
  [/^(scores?|logits|weights)/, "#d62728"],
  [/^(loss|metrics)/, "#8c564b"],
  [/^artifacts/, "#e377c2"],
];

const DTYPE_COLOURS: Readonly<Record<string, string>> = {
  float32: "#ff7f0e",
  float64: "#ff7f0e",
  bool: "#2ca02c",
  int32: "#17becf",
  int64: "#17becf",
};

const colourOf = ({ name, dtype }: PicturePort): string =>
  PORT_COLOURS.find(([pattern]) => pattern.test(name))?.[1] ?? DTYPE_COLOURS[dtype] ?? "#7f7f7f";

const escapeHtml = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");

/** A DOT identifier in quotes. */
const quoted = (text: string): string =>
  `"${text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", " ")}"`;

const shortName = (path: string): string => path.slice(path.lastIndexOf(".") + 1);

/** The whole pipeline: a table per node with input ports left and output ports right, an edge per connection. */
export function dotOfPipeline({ name, nodes, connections }: PicturePipeline): string {
  const numbers = new Map(nodes.map((node, at) => [node.name, at + 1]));
  const lines = [
    `digraph ${quoted(name)} {`,
    "  rankdir=LR;",
    `  graph [${FONT}, nodesep=0.4, ranksep=0.8];`,
    `  node [shape=plain, ${FONT}, fontsize=11];`,
    `  edge [${FONT}, fontsize=9, color="#555555"];`,
  ];
  for (const node of nodes) lines.push(`  ${quoted(`Node ${numbers.get(node.name)}`)} [label=<${tableOf(node)}>];`);
  for (const { from, to } of connections) {
    const [source, target] = [numbers.get(from.node), numbers.get(to.node)];
    if (source === undefined || target === undefined) continue;
    const tail = `${quoted(`Node ${source}`)}:${quoted(`out_${from.port}`)}:e`;
    lines.push(`  ${tail} -> ${quoted(`Node ${target}`)}:${quoted(`in_${to.port}`)}:w;`);
  }
  return `${[...lines, "}"].join("\n")}\n`;
}

function tableOf(node: PictureNode): string {
  const side = (ports: readonly PicturePort[], prefix: "in" | "out"): string => {
    if (ports.length === 0) return "";
    const rows = ports.map((port) => {
      const dot = `<FONT COLOR="${colourOf(port)}">●</FONT>`;
      const label = escapeHtml(port.name);
      const cell = prefix === "in" ? `${dot} ${label}` : `${label} ${dot}`;
      const align = prefix === "in" ? "LEFT" : "RIGHT";
      return `<TR><TD PORT="${escapeHtml(`${prefix}_${port.name}`)}" ALIGN="${align}">${cell}</TD></TR>`;
    });
    return `<TD><TABLE BORDER="0" CELLBORDER="0" CELLSPACING="2">${rows.join("")}</TABLE></TD>`;
  };
  const title = `<TD><B>${escapeHtml(node.name)}</B><BR/><FONT POINT-SIZE="9" COLOR="#555555">${escapeHtml(shortName(node.className))}</FONT></TD>`;
  return `<TABLE BORDER="1" CELLBORDER="0" CELLSPACING="0" CELLPADDING="4" STYLE="ROUNDED" BGCOLOR="#f7f9fc"><TR>${side(node.inputs, "in")}${title}${side(node.outputs, "out")}</TR></TABLE>`;
}

/** A preview: a box per node, an edge per connection; classes need not exist. */
export function dotOfPreview(
  name: string | undefined,
  nodes: readonly Pick<PictureNode, "name" | "className">[],
  connections: readonly PictureConnection[],
): string {
  const lines = [
    `digraph ${quoted(name || "pipeline")} {`,
    "  rankdir=LR;",
    '  bgcolor="transparent";',
    `  node [shape=box, style="rounded,filled", fillcolor="#f7f9fc", ${FONT}, fontsize=11];`,
    `  edge [${FONT}, fontsize=9, color="#555555"];`,
  ];
  if (nodes.length === 0) lines.push('  empty [label="(empty pipeline)", shape=plaintext, style=""];');
  for (const node of nodes) {
    const label = quoted(`${node.name}\u0000${shortName(node.className)}`).replace("\u0000", "\\n");
    lines.push(`  ${quoted(node.name)} [label=${label}];`);
  }
  for (const { from, to } of connections) {
    const label = from.port === to.port ? from.port : `${from.port} → ${to.port}`;
    lines.push(`  ${quoted(from.node)} -> ${quoted(to.node)} [label=${quoted(label)}];`);
  }
  return `${[...lines, "}"].join("\n")}\n`;
}
