// A knapsack (MIP): what to pack for a hike when the pack may weigh 5 kg, and a stove is of no use without gas?
//
// Run it from the repository: node packages/cli/bin/launch.js examples/knapsack.ts
import { Model } from "@sortie/client";
import { exampleClient } from "./client.ts";

/** Grams, and how useful the thing is. */
const things = {
  tent: { weight: 1800, use: 60 },
  "sleeping bag": { weight: 1100, use: 55 },
  stove: { weight: 450, use: 30 },
  gas: { weight: 380, use: 28 },
  "water filter": { weight: 310, use: 34 },
  camera: { weight: 900, use: 32 },
  book: { weight: 420, use: 9 },
  "rain jacket": { weight: 350, use: 40 },
  "first aid kit": { weight: 600, use: 45 },
  map: { weight: 120, use: 26 },
};
const chocolate = { weight: 100, use: 5, bars: 6 };

const model = new Model("knapsack");
const weight: [string, number][] = [];
const use: [string, number][] = [];
for (const [name, thing] of Object.entries(things)) {
  model.variable(name, { type: "binary" });
  weight.push([name, thing.weight]);
  use.push([name, thing.use]);
}
model.variable("chocolate", { type: "integer", upper: chocolate.bars });
model.constraint("weight", [...weight, ["chocolate", chocolate.weight]], "<=", 5000);
model.constraint("a stove needs gas", { stove: 1, gas: -1 }, "<=", 0);
model.maximize([...use, ["chocolate", chocolate.use]]);

await using client = await exampleClient();
const solution = await client.solveMip(model, { settings: { relativeMipGap: 0, timeLimit: 60 } });

console.log(`${solution.status}: use ${solution.objective.toFixed(0)}, proven bound ${solution.bound.toFixed(0)}`);
for (const [name, count] of solution.values()) if (count > 0.5) console.log(`  ${Math.round(count)} × ${name}`);
