// A transport problem (LP): which plant supplies which market, so that freight is cheapest? And what would one case more
// of demand cost? The figures are Dantzig's (Linear Programming and Extensions, 1963, section 3.3).
//
// Run it from the repository: node packages/cli/bin/launch.js examples/transport.ts
import { type LpSolution, Model } from "@sortie/client";
import { exampleClient } from "./client.ts";

/** Cases that a plant can make. */
const capacity = { seattle: 350, "san-diego": 600 };
/** Cases that a market needs. */
const demand = { "new-york": 325, chicago: 300, topeka: 275 };
/** Thousands of miles. */
const distance = {
  seattle: { "new-york": 2.5, chicago: 1.7, topeka: 1.8 },
  "san-diego": { "new-york": 2.5, chicago: 1.8, topeka: 1.4 },
};
/** Thousand dollars for a case over a thousand miles. */
const freight = 0.09;

type Plant = keyof typeof capacity;
type Market = keyof typeof demand;
const plants = Object.keys(capacity) as Plant[];
const markets = Object.keys(demand) as Market[];
const lane = (plant: Plant, market: Market) => `${plant} to ${market}`;

const model = new Model("transport");
for (const plant of plants) for (const market of markets) model.variable(lane(plant, market));
for (const plant of plants) {
  const sent = markets.map((market) => [lane(plant, market), 1] as const);
  model.constraint(`capacity of ${plant}`, sent, "<=", capacity[plant]);
}
for (const market of markets) {
  const received = plants.map((plant) => [lane(plant, market), 1] as const);
  model.constraint(`demand of ${market}`, received, ">=", demand[market]);
}
model.minimize(
  plants.flatMap((plant) => markets.map((market) => [lane(plant, market), freight * distance[plant][market]] as const)),
);

await using client = await exampleClient();
const solution: LpSolution = await client.solveLp(model);

console.log(`${solution.status}: freight costs ${solution.objective.toFixed(3)} thousand dollars`);
for (const [name, cases] of solution.values()) if (cases > 0) console.log(`  ${name}: ${cases.toFixed(0)} cases`);
for (const market of markets) {
  const dollars = 1000 * solution.dualOf(`demand of ${market}`);
  console.log(`  one case more for ${market}: ${dollars.toFixed(0)} dollars`);
}
