// With SORTIE_FUZZ_SEED every fuzz test draws the same inputs in every run; without it each run draws its own, and a failure
// prints the seed that it had.
import fc from "fast-check";

const seed = process.env["SORTIE_FUZZ_SEED"];
if (seed !== undefined) fc.configureGlobal({ ...fc.readConfigureGlobal(), seed: Number(seed) });
