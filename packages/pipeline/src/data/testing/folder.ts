// A folder of data files for tests, removed with everything in it.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { NumericArray } from "../../formats/array.ts";
import { writeNpy } from "../../formats/npy.ts";

export class DataFolder {
  readonly path = mkdtempSync(join(tmpdir(), "sortie-data-"));

  write(name: string, content: string | Uint8Array): string {
    const path = join(this.path, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content);
    return path;
  }

  npy(name: string, array: NumericArray): string {
    return this.write(name, Buffer.concat(writeNpy(array)));
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}
