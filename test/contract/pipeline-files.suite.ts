// What every place must do where clients of the pipeline service keep files: a folder tree and a store of blobs alike.
import type { PipelineFiles } from "@sortie/rpc";
import { describe, expect, it } from "vitest";

const bytes = (text: string) => new TextEncoder().encode(text);

/** @param open files of nobody else, without any, whose configurations root is there */
export function describePipelineFiles(name: string, open: () => Promise<PipelineFiles>): void {
  const text = async (files: PipelineFiles, path: string) => new TextDecoder().decode(await files.read(path));

  describe(`files of ${name}`, () => {
    it("are read as they were written, under any spelling of their path", async () => {
      const files = await open();
      const path = `${files.configs}/pipeline/deep/a.yaml`;
      await files.write(path, bytes("one"));
      expect(await text(files, path)).toBe("one");
      expect(await text(files, `${files.configs}/pipeline/./deep/../deep/a.yaml`)).toBe("one");
      expect(files.absolute(path)).toBe(path);
    });

    it("are replaced as a whole", async () => {
      const files = await open();
      const path = `${files.configs}/a.yaml`;
      await files.write(path, bytes("a long text"));
      await files.write(path, bytes("short"));
      expect(await text(files, path)).toBe("short");
    });

    it("may be empty", async () => {
      const files = await open();
      await files.write(`${files.configs}/empty`, new Uint8Array());
      expect(await files.read(`${files.configs}/empty`)).toHaveLength(0);
    });

    it("and folders are told apart from nothing", async () => {
      const files = await open();
      const path = `${files.configs}/pipeline/a.yaml`;
      await files.write(path, bytes("x"));
      expect(await files.stat(path)).toEqual({ kind: "file", path });
      expect(await files.stat(`${files.configs}/pipeline`)).toMatchObject({ kind: "folder" });
      expect(await files.stat(`${files.configs}/pipe`)).toBeUndefined();
      expect(await files.stat(`${path}/below`)).toBeUndefined();
    });

    it("are listed below a folder, in order and relative to it", async () => {
      const files = await open();
      for (const name of ["b.yaml", "a/z.yaml", "a/b/c.pt"])
        await files.write(`${files.configs}/pipeline/${name}`, bytes("x"));
      await files.write(`${files.configs}/pipeline-other/d.yaml`, bytes("x"));
      expect(await files.list(`${files.configs}/pipeline`)).toEqual(["a/b/c.pt", "a/z.yaml", "b.yaml"]);
      expect(await files.list(`${files.configs}/none`)).toBeUndefined();
    });

    it("that are not there are not found, and a folder is no file", async () => {
      const files = await open();
      await files.write(`${files.configs}/pipeline/a.yaml`, bytes("x"));
      await expect(files.read(`${files.configs}/none`)).rejects.toThrow(/not found/);
      await expect(files.read(`${files.configs}/pipeline`)).rejects.toThrow(/not found/);
    });

    it("never lie above the roots", async () => {
      const files = await open();
      for (const path of ["../../../../../../etc/passwd", "/etc/passwd", `${files.configs}/../../../../etc/passwd`]) {
        expect(await files.stat(path)).toBeUndefined();
        await expect(files.read(path)).rejects.toThrow(/not found/);
      }
    });
  });
}
