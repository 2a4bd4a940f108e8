// The contract of the files that clients name: what every host of them must do, a folder tree and a store of blobs alike.
import { dataFiles, FileError, type Files, readNpy } from "@sortie/pipeline";
import { describe, expect, it } from "vitest";

const bytes = (text: string) => new TextEncoder().encode(text);

/** @param open files of nobody else, without any, and a folder of theirs, which is there */
export function describeFiles(name: string, open: () => Promise<{ readonly files: Files; readonly at: string }>): void {
  const text = async (files: Files, path: string) => new TextDecoder().decode(await files.read(path));

  describe(`files of ${name}`, () => {
    it("are read as they were written, under any spelling of their path", async () => {
      const { files, at } = await open();
      const path = `${at}/pipeline/deep/a.yaml`;
      await files.write(path, bytes("one"));
      expect(await text(files, path)).toBe("one");
      expect(await text(files, `${at}/pipeline/./deep/../deep/a.yaml`)).toBe("one");
      expect(files.absolute(path)).toBe(path);
    });

    it("are replaced as a whole", async () => {
      const { files, at } = await open();
      await files.write(`${at}/a.yaml`, bytes("a long text"));
      await files.write(`${at}/a.yaml`, bytes("short"));
      expect(await text(files, `${at}/a.yaml`)).toBe("short");
    });

    it("may be empty", async () => {
      const { files, at } = await open();
      await files.write(`${at}/empty`, new Uint8Array());
      expect(await files.read(`${at}/empty`)).toHaveLength(0);
    });

    it.each(["two words.yaml", ".hidden", "straße.npy", "lr=0.1.yaml", "a=2Eb", "100%.txt", "名.npy", "a+b&c#d?.npy"])(
      "may have any name: %s",
      async (name) => {
        const { files, at } = await open();
        const path = `${at}/${name}/${name}`;
        await files.write(path, bytes(name));
        expect(await text(files, path)).toBe(name);
        expect(await files.stat(path)).toEqual({ kind: "file", path });
        expect(await files.list(at)).toEqual([`${name}/${name}`]);
      },
    );

    it("and folders are told apart from nothing", async () => {
      const { files, at } = await open();
      const path = `${at}/pipeline/a.yaml`;
      await files.write(path, bytes("x"));
      expect(await files.stat(path)).toEqual({ kind: "file", path });
      expect(await files.stat(`${at}/pipeline`)).toEqual({ kind: "folder", path: `${at}/pipeline` });
      expect(await files.stat(`${at}/pipe`)).toBeUndefined();
      expect(await files.stat(`${path}/below`)).toBeUndefined();
    });

    it("are listed below a folder, in order and relative to it, as deep as is asked for", async () => {
      const { files, at } = await open();
      for (const name of ["b.yaml", "a/z.yaml", "a/b/c.pt"]) await files.write(`${at}/pipeline/${name}`, bytes("x"));
      await files.write(`${at}/pipeline-other/d.yaml`, bytes("x"));
      expect(await files.list(`${at}/pipeline`)).toEqual(["a/b/c.pt", "a/z.yaml", "b.yaml"]);
      expect(await files.list(`${at}/pipeline`, 2)).toEqual(["a/z.yaml", "b.yaml"]);
      expect(await files.list(`${at}/pipeline`, 1)).toEqual(["b.yaml"]);
      expect(await files.list(`${at}/none`)).toBeUndefined();
    });

    it("that are not there are not found, and a folder is no file", async () => {
      const { files, at } = await open();
      await files.write(`${at}/pipeline/a.yaml`, bytes("x"));
      for (const path of [`${at}/none`, `${at}/pipeline`, `${at}/pipeline/a.yaml/below`]) {
        const fault = { reason: "not-found", message: `File not found: ${path}` };
        await expect(files.read(path)).rejects.toMatchObject(fault);
        await expect(files.open(path)).rejects.toMatchObject(fault);
      }
    });

    it("do not take the name of a folder", async () => {
      const { files, at } = await open();
      await files.write(`${at}/pipeline/a.yaml`, bytes("x"));
      await expect(files.write(`${at}/pipeline`, bytes("y"))).rejects.toMatchObject({ reason: "not-allowed" });
      expect(await files.list(at)).toEqual(["pipeline/a.yaml"]);
    });

    it("never lie above the roots", async () => {
      const { files, at } = await open();
      for (const path of ["../../../../../../etc/passwd", "/etc/passwd", `${at}/../../../../etc/passwd`, "a\0b"]) {
        expect(await files.stat(path)).toBeUndefined();
        expect(await files.list(path)).toBeUndefined();
        await expect(files.read(path)).rejects.toThrow(/not found/);
      }
      await expect(files.write("../../../../../../a", bytes("x"))).rejects.toThrow(FileError);
    });

    it("are read in parts, wherever these begin", async () => {
      const { files, at } = await open();
      const content = Uint8Array.from({ length: 300_000 }, (_, i) => (i * 31) >> 3);
      await files.write(`${at}/large`, content);
      await using source = await files.open(`${at}/large`);
      expect(source).toMatchObject({ name: `${at}/large`, size: content.byteLength });
      for (const [offset, length] of [
        [0, 10],
        [5, 100_000],
        [299_990, 10],
        [65_530, 20],
        [65_550, 70_000],
        [135_550, 100_000],
        [0, 300_000],
        [7, 0],
      ] as const) {
        const target = new Uint8Array(length);
        await source.readInto(target, offset);
        expect(Buffer.compare(target, content.subarray(offset, offset + length)), `${offset}, ${length}`).toBe(0);
      }
    });
  });

  describe(`data files of ${name}`, () => {
    const setUp = async () => {
      const { files, at } = await open();
      for (const name of ["b.npy", "a.npy", ".hidden.npy", "sub/c.npy", "sub/deep/d.npy"]) {
        await files.write(`${at}/data/${name}`, bytes(name));
      }
      return { data: dataFiles(files), at: `${at}/data`, root: String(files.roots[0]) };
    };

    it.each<[string, string[]]>([
      ["a.npy", ["a.npy"]],
      ["*.npy", ["a.npy", "b.npy"]],
      ["*/*.npy", ["sub/c.npy"]],
      ["**/*.npy", ["a.npy", "b.npy", "sub/c.npy", "sub/deep/d.npy"]],
      ["**", ["a.npy", "b.npy", "sub/c.npy", "sub/deep/d.npy"]],
      ["sub/**/d.npy", ["sub/deep/d.npy"]],
      ["[b-z].npy", ["b.npy"]],
      [".*.npy", [".hidden.npy"]],
      ["./sub/../a.npy", ["a.npy"]],
    ])("are found by a path or pattern, absolute or not: %s", async (pattern, expected) => {
      const { data, at, root } = await setUp();
      expect(await data.find(`${at}/${pattern}`)).toEqual(expected.map((path) => `${at}/${path}`));
      const below = at.slice(root === "/" ? 1 : root.length + 1);
      expect(await data.find(`${below}/${pattern}`)).toEqual(expected.map((path) => `${below}/${path}`));
    });

    it("are opened where they are found", async () => {
      const { data, at } = await setUp();
      await using source = await data.open(`${at}/sub/c.npy`);
      expect(source.size).toBe("sub/c.npy".length);
      expect(await data.exists(`${at}/sub`)).toBe(false);
      await expect(readNpy(source)).rejects.toThrow(/c\.npy/);
    });

    it("that are not there are not found", async () => {
      const { data, at } = await setUp();
      for (const path of ["none.npy", "*.mat", "sub", "none/*.npy"]) {
        await expect(data.find(`${at}/${path}`)).rejects.toMatchObject({ reason: "not-found" });
      }
    });

    it.each(["../secret.npy", "a/../../secret.npy", "..", "../*/secret.npy"])(
      "do not lie outside: %s",
      async (path) => {
        const { data } = await setUp();
        await expect(data.find(path)).rejects.toMatchObject({ reason: "outside-roots" });
        await expect(data.open(path)).rejects.toMatchObject({ reason: "outside-roots" });
      },
    );
  });
}
