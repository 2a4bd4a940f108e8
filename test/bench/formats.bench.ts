// Reading model files: the rate against the reader of HiGHS (WebAssembly), and the peak memory against the model's arrays.
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import { lpText, parseLp, parseMps } from "@sortie/solve";
import highsLoader from "highs";
import { readInChild, writeLargeMps } from "./large-mps.ts";
import { type Bench, type Measure, MIB, percentile } from "./report.ts";

// The package's types describe its CommonJS form, where the loader is a property; the ES module's default is the loader.
const loadHighs = highsLoader as unknown as typeof highsLoader.default;

const root = new URL("../../", import.meta.url);
const folders = [process.env["SORTIE_TEST_DATA"] ?? fileURLToPath(new URL("../shared/data", root)), "test/data"];
const instances = folders
  .map((folder) => join(folder, "lp"))
  .map((folder) => (existsSync(folder) ? folder : fileURLToPath(new URL(folder, root))))
  .find((folder) => existsSync(join(folder, "index.json")));

/** The largest instances, as plain MPS. */
function largest(count: number, mostBytes: number): { name: string; data: Uint8Array }[] {
  if (instances === undefined) throw new Error("there are no instances to read");
  return readdirSync(instances)
    .filter((name) => name.endsWith(".mps.gz"))
    .map((name) => ({ name: name.replace(".mps.gz", ""), data: gunzipSync(readFileSync(join(instances, name))) }))
    .filter(({ data }) => data.length <= mostBytes)
    .sort((a, b) => b.data.length - a.data.length)
    .slice(0, count);
}

export const formats: Bench = {
  name: "formats",
  about: "reading MPS and LP files, against the reader of HiGHS (WebAssembly) in the same process",
  async run({ short }) {
    const rounds = short ? 2 : 7;
    const highs = await loadHighs();
    const seconds = (task: () => void): number => {
      const started = performance.now();
      task();
      return (performance.now() - started) / 1000;
    };
    const measure = (what: string, data: Uint8Array): Measure => {
      const times: { ours: number; theirs: number }[] = [];
      // By turns, so that neither has the quieter time; the first round is for the machine to warm up.
      for (let round = 0; round <= rounds; round++) {
        const theirs = seconds(() => {
          using model = highs.createModel();
          model.options.set("output_flag", false);
          model.readModel({ format: "mps", data });
        });
        times.push({ ours: seconds(() => parseMps(data)), theirs });
      }
      times.shift();
      const rate = (of: "ours" | "theirs") => data.length / MIB / percentile(times.map((time) => time[of]));
      return {
        what,
        value: rate("ours"),
        unit: "MiB/s",
        baseline: { what: "HiGHS", value: rate("theirs") },
      };
    };
    const files = short ? largest(1, 1.5 * MIB) : largest(5, Infinity);
    const measures = files.map(({ name, data }) => measure(`${name}.mps, ${(data.length / MIB).toFixed(1)} MiB`, data));
    const [first] = files;
    if (first !== undefined) {
      const lp = Buffer.from([...lpText(parseMps(first.data).problem).lines].join(""));
      const times: number[] = [];
      for (let round = 0; round <= rounds; round++) times.push(seconds(() => parseLp(lp)));
      // Alone: the LP reader of HiGHS aborts on rows with two bounds.
      const what = `${first.name}.lp, ${(lp.length / MIB).toFixed(1)} MiB`;
      measures.push({ what, value: lp.length / MIB / percentile(times.slice(1)), unit: "MiB/s" });
    }

    const folder = mkdtempSync(join(tmpdir(), "sortie-bench-"));
    try {
      const file = join(folder, "large.mps");
      await writeLargeMps(file, short ? 4e6 : 1e9);
      const read = await readInChild(file);
      const ratio = read.peakBytes / read.arrayBytes;
      measures.push(
        {
          what: `${(read.fileBytes / 1e9).toFixed(2)} GB MPS from disk`,
          value: read.fileBytes / MIB / read.seconds,
          unit: "MiB/s",
        },
        {
          what: `its peak memory by that of the model's arrays (${(read.arrayBytes / MIB).toFixed(0)} MiB)`,
          value: ratio,
          unit: "times",
          // A small file says nothing here: the program itself outweighs its model.
          goal: short ? undefined : { text: "at most 1.5", isMet: ratio <= 1.5 },
        },
        {
          what: `the same once its names are asked for, by that of the arrays and names (${(read.nameBytes / MIB).toFixed(0)} MiB)`,
          value: read.namedPeakBytes / (read.arrayBytes + read.nameBytes),
          unit: "times",
        },
      );
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
    return { input: `the ${files.length} largest instances, median of ${rounds}; one written file, once`, measures };
  },
};
