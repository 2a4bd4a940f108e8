// Memory that clients on this machine share with the server: POSIX objects, which Linux shows as files.
import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { invalid, type SharedMemory } from "@sortie/rpc";

const ABSENT = ["ENOENT", "ENOTDIR", "ENAMETOOLONG", "ELOOP", "EACCES"];

/** @param folder where the system shows the objects */
export function posixSharedMemory(folder = "/dev/shm"): SharedMemory {
  return {
    async read(name, offset, bytes) {
      const file = await openObject(join(folder, name));
      if (!file) return undefined;
      await using object = file;
      const found = await object.stat();
      if (!found.isFile()) return undefined;
      if (offset + bytes > found.size) {
        throw invalid(
          `shared memory '${name}' has ${found.size} bytes; bytes ${offset} to ${offset + bytes} are asked for`,
        );
      }
      const target = new Uint8Array(bytes);
      let at = 0;
      while (at < bytes) {
        const { bytesRead } = await object.read(target, at, bytes - at, offset + at);
        if (bytesRead === 0) throw invalid(`shared memory '${name}' became shorter while it was read`);
        at += bytesRead;
      }
      return target;
    },
  };
}

/** A link could lead to any file of the machine, so it counts as nothing. */
async function openObject(path: string) {
  try {
    return await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  } catch (error) {
    if (ABSENT.includes(String((error as NodeJS.ErrnoException).code))) return undefined;
    throw error;
  }
}
