// Builds a model by names: variables, constraints, an objective. Sparse arrays grow underneath.
import type { SettingsKind } from "@sortie/wire";
import type { SortieClient } from "./client.ts";
import { InvalidModelError } from "./input-errors.ts";
import { nearest } from "./nearest.ts";
import { type LinearProblem, VARIABLE_TYPES, type VariableTypeWord } from "./problem.ts";
import type { LpSettings, MipSettings } from "./settings.ts";
import type { LpSolution, MipSolution } from "./solution.ts";
import type { SolveOptions } from "./solve.ts";

/** A variable of a model, as its `variable` method returned it. */
export interface Variable {
  readonly name: string;
  /** Place in the arrays of the problem and of its solution, from 0. */
  readonly index: number;
}

/** By its handle or by its name. */
export type VariableRef = Variable | string;

/**
 * A linear expression: coefficients by variable, `{ x: 2, y: -1 }` or `[[x, 2], [y, -1]]` (any iterable of pairs, a Map as
 * well). Coefficients of the same variable add up.
 */
export type Terms = Readonly<Record<string, number>> | Iterable<readonly [VariableRef, number]>;

/**
 * Products of two variables as the formula writes them, without a factor one half: `[x, x, 3]` is 3x², `[x, y, 2]` is 2xy.
 * For ½·xᵀHx that is `[xi, xi, H[i][i] / 2]` on the diagonal and `[xi, xj, H[i][j]]` once for each pair i < j. Coefficients
 * of the same pair add up, in either order.
 */
export type QuadraticTerms = Iterable<readonly [VariableRef, VariableRef, number]>;

export interface VariableOptions {
  /** Default 0; -Infinity for none. */
  readonly lower?: number | undefined;
  /** Default Infinity, which is none; 1 for a binary variable. */
  readonly upper?: number | undefined;
  /**
   * Default "continuous". "binary" is integer with the bounds 0 and 1. "semi-continuous" is 0 or within its bounds.
   */
  readonly type?: VariableTypeWord | "binary" | undefined;
}

export interface ObjectiveOptions {
  readonly quadratic?: QuadraticTerms | undefined;
  /** Added to the objective. Default 0. */
  readonly offset?: number | undefined;
  readonly name?: string | undefined;
}

export type Sense = "<=" | "=" | ">=";

/**
 * An LP, a MIP or a convex QP.
 *
 * ```ts
 * const model = new Model("diet");
 * const bread = model.variable("bread", { upper: 4 });
 * const milk = model.variable("milk", { type: "integer" });
 * model.constraint("energy", [[bread, 90], [milk, 120]], ">=", 300);
 * model.minimize({ bread: 2, milk: 3.5 });
 * const solution = await model.solve(client);
 * solution.value("milk");
 * ```
 *
 * Every method throws InvalidModelError for a name that is taken or unknown and for a number that cannot be one.
 */
export class Model {
  readonly name: string;
  readonly #variables: Variable[] = [];
  readonly #byName = new Map<string, Variable>();
  readonly #lower: number[] = [];
  readonly #upper: number[] = [];
  readonly #types: number[] = [];
  readonly #rowNames = new Map<string, number>();
  readonly #rowLower: number[] = [];
  readonly #rowUpper: number[] = [];
  readonly #offsets: number[] = [0];
  readonly #indices: number[] = [];
  readonly #values: number[] = [];
  #objective = new Map<number, number>();
  /** Coefficients of xᵢ·xⱼ, i ≤ j, by i and then j. */
  #quadratic = new Map<number, Map<number, number>>();
  #maximize = false;
  #offset = 0;
  #objectiveName = "";
  #start: Float64Array | undefined;

  constructor(name = "") {
    this.name = name;
  }

  /** "mip" if a variable is integer, binary or semi-continuous, else "lp". */
  get kind(): SettingsKind {
    return this.#types.some((type) => type !== 0) ? "mip" : "lp";
  }

  /** Names in the order of the arrays. */
  get variableNames(): readonly string[] {
    return this.#variables.map(({ name }) => name);
  }

  /** Names of the constraints in the order of the arrays. */
  get rowNames(): readonly string[] {
    return [...this.#rowNames.keys()];
  }

  variable(name: string, options: VariableOptions = {}): Variable {
    nameFits("variable", name, this.#byName);
    onlyKnown(`variable ${name}`, options, ["type", "lower", "upper"] satisfies (keyof VariableOptions)[]);
    const binary = options.type === "binary";
    const type = VARIABLE_TYPES.indexOf(options.type === "binary" ? "integer" : (options.type ?? "continuous"));
    if (type < 0) {
      const allowed = [...VARIABLE_TYPES, "binary"].join(", ");
      throw new InvalidModelError(`variable ${name}: type is "${options.type}"; allowed: ${allowed}`);
    }
    const lower = bound(`variable ${name}: lower`, options.lower ?? 0);
    const upper = bound(`variable ${name}: upper`, options.upper ?? (binary ? 1 : Infinity));
    if (binary && (lower < 0 || upper > 1)) {
      throw new InvalidModelError(`variable ${name}: bounds are ${lower} and ${upper}; binary is within 0 and 1`);
    }
    if (lower > upper) {
      throw new InvalidModelError(`variable ${name}: lower is ${lower}, which exceeds upper, ${upper}`);
    }
    const variable: Variable = Object.freeze({ name, index: this.#variables.length });
    this.#variables.push(variable);
    this.#byName.set(name, variable);
    this.#lower.push(lower);
    this.#upper.push(upper);
    this.#types.push(type);
    return variable;
  }

  /** terms ≤ side, terms = side or terms ≥ side. */
  constraint(name: string, terms: Terms, sense: Sense, side: number): void {
    finite(`constraint ${name}: the right-hand side`, side);
    if (sense === "<=") this.#row(name, terms, -Infinity, side);
    else if (sense === ">=") this.#row(name, terms, side, Infinity);
    else if (sense === "=") this.#row(name, terms, side, side);
    else throw new InvalidModelError(`constraint ${name}: the sense is "${String(sense)}"; allowed: <=, =, >=`);
  }

  /** lower ≤ terms ≤ upper; either may be infinite. */
  range(name: string, lower: number, terms: Terms, upper: number): void {
    this.#row(name, terms, bound(`constraint ${name}: lower`, lower), bound(`constraint ${name}: upper`, upper));
  }

  /** Sets the objective, in place of what was set before. */
  minimize(terms: Terms, options: ObjectiveOptions = {}): void {
    this.#setObjective(terms, options, false);
  }

  /** As `minimize`. A cuOpt 26.04 server has no answer to a quadratic objective that is maximised. */
  maximize(terms: Terms, options: ObjectiveOptions = {}): void {
    this.#setObjective(terms, options, true);
  }

  /**
   * Where the search may start: a value for every variable, of an earlier solution's `values()` for instance. Sortie uses
   * it; a cuOpt server throws it away.
   */
  startFrom(values: Readonly<Record<string, number>> | ReadonlyMap<string, number>): void {
    const given = new Map(values instanceof Map ? values : Object.entries(values));
    const start = new Float64Array(this.#variables.length).fill(Number.NaN);
    for (const [name, value] of given) start[this.#indexOf(name, "the start")] = finite(`the start of ${name}`, value);
    this.#start = start;
    this.#checkStart();
  }

  /** The model as arrays, of which later changes are not seen. */
  toProblem(): LinearProblem {
    const columns = this.#variables.length;
    const objective = new Float64Array(columns);
    for (const [column, coefficient] of this.#objective) objective[column] = coefficient;
    this.#checkStart();
    return {
      name: this.name,
      objectiveName: this.#objectiveName,
      maximize: this.#maximize,
      objectiveOffset: this.#offset,
      objective,
      matrix: {
        offsets: new Int32Array(this.#offsets),
        indices: new Int32Array(this.#indices),
        values: new Float64Array(this.#values),
      },
      rowLower: new Float64Array(this.#rowLower),
      rowUpper: new Float64Array(this.#rowUpper),
      variableLower: new Float64Array(this.#lower),
      variableUpper: new Float64Array(this.#upper),
      variableTypes: this.kind === "mip" ? new Int32Array(this.#types) : undefined,
      quadratic: this.#quadratic.size > 0 ? this.#quadraticRows() : undefined,
      initialPrimal: this.#start,
      variableNames: this.variableNames,
      rowNames: this.rowNames,
    };
  }

  /** Solves the model as what it is: `solveMip` if a variable is not continuous, else `solveLp`. */
  solve(
    client: Pick<SortieClient, "solveLp" | "solveMip">,
    options: SolveOptions & { readonly settings?: LpSettings | MipSettings | undefined } = {},
  ): Promise<LpSolution | MipSolution> {
    return this.kind === "mip" ? client.solveMip(this, options) : client.solveLp(this, options);
  }

  /** Variables may have come after the start. */
  #checkStart(): void {
    const start = this.#start;
    if (start === undefined) return;
    const missing = this.#variables.find(({ index }) => !Number.isFinite(start[index]));
    if (missing === undefined) return;
    throw new InvalidModelError(`the start has no value for ${missing.name}; every variable needs one`);
  }

  #row(name: string, terms: Terms, lower: number, upper: number): void {
    nameFits("constraint", name, this.#rowNames);
    const coefficients = this.#coefficients(terms, `constraint ${name}`);
    this.#rowNames.set(name, this.#rowNames.size);
    for (const [column, coefficient] of coefficients) {
      this.#indices.push(column);
      this.#values.push(coefficient);
    }
    this.#offsets.push(this.#indices.length);
    this.#rowLower.push(lower);
    this.#rowUpper.push(upper);
  }

  #setObjective(terms: Terms, { quadratic = [], offset = 0, name = "" }: ObjectiveOptions, maximize: boolean): void {
    const linear = this.#coefficients(terms, "the objective");
    const rows = new Map<number, Map<number, number>>();
    for (const [a, b, coefficient] of quadratic) {
      const [i, j] = [this.#indexOf(a, "the objective"), this.#indexOf(b, "the objective")];
      finite(`the objective: the coefficient of ${nameOf(a)}·${nameOf(b)}`, coefficient);
      const row = rows.get(Math.min(i, j)) ?? new Map<number, number>();
      row.set(Math.max(i, j), (row.get(Math.max(i, j)) ?? 0) + coefficient);
      rows.set(Math.min(i, j), row);
    }
    this.#offset = finite("the objective's offset", offset);
    this.#objective = linear;
    this.#quadratic = rows;
    this.#maximize = maximize;
    this.#objectiveName = name;
  }

  /** The coefficients by column. */
  #coefficients(terms: Terms, where: string): Map<number, number> {
    const pairs: Iterable<readonly [VariableRef, number]> = isIterable(terms) ? terms : Object.entries(terms);
    const coefficients = new Map<number, number>();
    for (const [variable, coefficient] of pairs) {
      const column = this.#indexOf(variable, where);
      finite(`${where}: the coefficient of ${nameOf(variable)}`, coefficient);
      coefficients.set(column, (coefficients.get(column) ?? 0) + coefficient);
    }
    return coefficients;
  }

  #indexOf(variable: VariableRef, where: string): number {
    if (typeof variable !== "string") {
      if (this.#variables[variable.index] === variable) return variable.index;
      throw new InvalidModelError(`${where}: variable ${variable.name} belongs to another model`);
    }
    const found = this.#byName.get(variable);
    if (found !== undefined) return found.index;
    const near = nearest(variable, this.#byName.keys());
    const hint = near === undefined ? "" : `; did you mean ${near}?`;
    throw new InvalidModelError(`${where}: there is no variable ${variable}${hint}`);
  }

  #quadraticRows(): NonNullable<LinearProblem["quadratic"]> {
    const offsets = new Int32Array(this.#variables.length + 1);
    const indices: number[] = [];
    const values: number[] = [];
    for (let row = 0; row < this.#variables.length; row++) {
      for (const [column, coefficient] of this.#quadratic.get(row) ?? []) {
        indices.push(column);
        values.push(coefficient);
      }
      offsets[row + 1] = indices.length;
    }
    return { offsets, indices: new Int32Array(indices), values: new Float64Array(values) };
  }
}

function isIterable(terms: Terms): terms is Iterable<readonly [VariableRef, number]> {
  return Symbol.iterator in terms;
}

const nameOf = (variable: VariableRef): string => (typeof variable === "string" ? variable : variable.name);

function nameFits(what: "variable" | "constraint", name: string, taken: ReadonlyMap<string, unknown>): void {
  if (typeof name !== "string") throw new InvalidModelError(`the name of a ${what} is ${name}; a string is needed`);
  if (name === "") throw new InvalidModelError(`a ${what} has an empty name; it needs one of its own`);
  if (name.includes("\0")) throw new InvalidModelError(`${what} ${JSON.stringify(name)}: a name must not contain NUL`);
  if (taken.has(name)) throw new InvalidModelError(`there is a ${what} ${name} already; each needs a name of its own`);
}

/** Where no compiler looks, a misspelt option would be a bound that is not there. */
function onlyKnown(what: string, options: object, known: readonly string[]): void {
  const unknown = Object.keys(options).find((name) => !known.includes(name));
  if (unknown === undefined) return;
  throw new InvalidModelError(`${what}: there is no option ${unknown}; allowed: ${known.join(", ")}`);
}

function finite(what: string, value: number): number {
  if (Number.isFinite(value)) return value;
  throw new InvalidModelError(`${what} is ${value}; a finite number is needed`);
}

function bound(what: string, value: number): number {
  if (typeof value === "number" && !Number.isNaN(value)) return value;
  throw new InvalidModelError(`${what} is ${value}; a number is needed, or ±Infinity for no bound`);
}
