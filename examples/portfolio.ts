// A portfolio (convex QP): the mixture of least risk for each return that is asked for, after Markowitz.
//
// Run it from the repository: node packages/cli/bin/launch.js examples/portfolio.ts
import { Model, type QuadraticTerms } from "@sortie/client";
import { exampleClient } from "./client.ts";

const assets = ["bonds", "shares", "property", "gold"];
/** Expected return in a year. */
const expected = [0.03, 0.08, 0.06, 0.04];
/** Covariance of the returns. */
const covariance = [
  [0.0016, 0.0004, 0.0006, 0.0002],
  [0.0004, 0.0324, 0.012, -0.0016],
  [0.0006, 0.012, 0.0196, 0.0008],
  [0.0002, -0.0016, 0.0008, 0.0256],
];

/** xᵀCx, written as a sum: the variance of each asset once, the covariance of each pair twice. */
const variance: QuadraticTerms = assets.flatMap((a, i) =>
  assets.slice(i).map((b, k) => [a, b, (k === 0 ? 1 : 2) * covariance[i]![i + k]!] as const),
);

await using client = await exampleClient();
for (const target of [0.04, 0.05, 0.06]) {
  const model = new Model("portfolio");
  for (const asset of assets) model.variable(asset);
  model.constraint(
    "everything is invested",
    assets.map((asset) => [asset, 1] as const),
    "=",
    1,
  );
  model.constraint(
    "return",
    assets.map((asset, i) => [asset, expected[i]!] as const),
    ">=",
    target,
  );
  model.minimize([], { quadratic: variance });
  const solution = await client.solveLp(model);

  const risk = Math.sqrt(solution.objective);
  const mixture = [...solution.values()].map(([asset, share]) => `${asset} ${(100 * share).toFixed(1)} %`);
  console.log(`return ${100 * target} %, ${solution.status}: risk ${(100 * risk).toFixed(2)} %: ${mixture.join(", ")}`);
}
