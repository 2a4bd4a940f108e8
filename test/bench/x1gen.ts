import { writeLargeMps, readInChild } from "./large-mps.ts";
await writeLargeMps("/tmp/x1/gb.mps", 1e9);
console.log(await readInChild("/tmp/x1/gb.mps"));
