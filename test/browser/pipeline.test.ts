// The pipeline service from a browser: the five phases over Connect, on a real scene where there is one.
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { areaUnderCurve, bytesSource, type NumericArray, readNpy, tensor, writeNpy } from "@sortie/pipeline";
import { afterAll, expect, it } from "vitest";
import { EmbeddedServer } from "../conformance/embedded-server.ts";
import { openBrowser } from "./chromium.ts";
import type { FoundInBrowser, SceneInBrowser } from "./pipeline-page.ts";
import { bundleOf, openPage, openSite } from "./site.ts";

/** Of the page. */
declare const findAnomalies: (server: string, scene: SceneInBrowser) => Promise<FoundInBrowser>;

const NAME = "hydice-urban";
const SCENES = [
  join(process.env["SORTIE_TEST_DATA"] ?? "", "hsi"),
  fileURLToPath(new URL("../../../shared/data/hsi", import.meta.url)),
].find((folder) => existsSync(join(folder, `${NAME}.npy`)));
/** What the reference's own float32 arithmetic differs by, three times over. */
const AUC_TOLERANCE = 3 * 5.03e-5;

interface Scene {
  readonly name: string;
  readonly cube: NumericArray;
  readonly labels: ArrayLike<number>;
  readonly auc: number;
}

async function loadScene(): Promise<Scene> {
  if (SCENES === undefined) return madeUp();
  const read = async (name: string) => readNpy(bytesSource(name, readFileSync(join(SCENES, name))));
  const { scenes } = JSON.parse(readFileSync(join(SCENES, "reference.json"), "utf8"));
  const { data } = await read(`${NAME}_mask.npy`);
  return {
    name: NAME,
    cube: await read(`${NAME}.npy`),
    labels: data as Uint8Array,
    auc: scenes[NAME].rx_global_raw.auc,
  };
}

/** Noise with a few pixels of another kind, where the published scenes are not at hand. */
function madeUp(): Scene {
  const [lines, samples, bands] = [30, 40, 10];
  const strange = new Set([333, 334, 900]);
  const data = Uint16Array.from({ length: lines * samples * bands }, (_each, i) => {
    const isStrange = strange.has(Math.floor(i / bands)) && i % 2 === 0;
    return 300 + ((Math.imul(i, 2654435761) >>> 22) % 200) + (isStrange ? 900 : 0);
  });
  return {
    name: "a scene that was made up",
    cube: tensor("uint16", [lines, samples, bands], data) as NumericArray,
    labels: Uint8Array.from({ length: lines * samples }, (_each, pixel) => (strange.has(pixel) ? 1 : 0)),
    auc: 1,
  };
}

const stack = new AsyncDisposableStack();
afterAll(() => stack.disposeAsync());

it("a page finds the anomalies of a scene in five phases: create, configure, execute, persist, close", async () => {
  const { name, cube, labels, auc } = await loadScene();
  const folder = mkdtempSync(join(tmpdir(), "sortie-browser-"));
  stack.defer(() => rmSync(folder, { recursive: true, force: true }));
  const [header, elements] = writeNpy(cube);
  writeFileSync(join(folder, "cube.npy"), Buffer.concat([header, elements]));
  const site = stack.use(await openSite(await bundleOf("pipeline-page.ts"), { "/cube.bin": elements }));
  const server = new EmbeddedServer([
    ...["--workers", "1", "--cors-origins", site.origin, "--pipeline-roots", folder],
    ...["--configs-dir", join(folder, "configs")],
  ]);
  stack.defer(() => server.dispose());
  await server.start();
  const browser = await openBrowser();
  stack.defer(() => browser.close());
  const watched = stack.use(await openPage(browser, site));

  const [lines, samples, bands] = cube.shape as [number, number, number];
  const scene: SceneInBrowser = {
    ...{ lines, samples, bands },
    cubePath: join(folder, "cube.npy"),
    pipelinePath: join(folder, "saved", "rx.yaml"),
    trainrunPath: join(folder, "saved", "run.yaml"),
  };
  const found = await watched.page.evaluate(([address, which]) => findAnomalies(address, which), [
    server.url(),
    scene,
  ] as const);

  const area = areaUnderCurve(Float32Array.from(found.scores), labels as never);
  process.stdout.write(`RX on ${name} from a browser: AUC ${area.toFixed(6)}, reference ${auc.toFixed(6)}\n`);
  expect(Math.abs(area - auc)).toBeLessThanOrEqual(AUC_TOLERANCE);
  expect(found.phases).toEqual(["create", "configure", "execute", "persist", "close"]);
  expect(found.saved.every((path) => existsSync(path))).toBe(true);
  expect(found.restoredScores).toEqual(found.scores);
  // The browser notes the refusal that the page provokes, of a call in a closed session, and no other.
  expect(watched.faults).toEqual([expect.stringContaining("404")]);
  expect([...watched.origins].sort()).toEqual([server.url(), site.origin].sort());
});
