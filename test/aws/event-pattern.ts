// Patterns of events, as EventBridge rules and event source filters have them: the part of the language that is used here.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html

type Json = string | number | boolean | null | undefined | readonly Json[] | { readonly [name: string]: Json };
export type Pattern = { readonly [name: string]: Pattern | readonly Json[] };

/** Does the event have everything that the pattern asks for? */
export function matches(pattern: Pattern, event: unknown): boolean {
  const { $or: alternatives, ...fields } = pattern as Record<string, Pattern | readonly Json[]>;
  if (alternatives !== undefined && !(alternatives as unknown as Pattern[]).some((each) => matches(each, event))) {
    return false;
  }
  return Object.entries(fields).every(([name, wanted]) => {
    const value = (event as Record<string, unknown> | undefined | null)?.[name];
    if (!Array.isArray(wanted)) {
      // Within a list of objects it is enough that one of them fits.
      if (Array.isArray(value)) return value.some((each) => matches(wanted as Pattern, each));
      return matches(wanted as Pattern, value);
    }
    const values = Array.isArray(value) ? value : [value];
    return (wanted as Json[]).some((one) => values.some((each) => fits(one, each)));
  });
}

function fits(wanted: Json, value: unknown): boolean {
  if (typeof wanted !== "object" || wanted === null) return value === wanted && value !== undefined;
  const [[operator, operand] = []] = Object.entries(wanted) as [string, Json][];
  switch (operator) {
    case "exists":
      return (value !== undefined) === operand;
    case "prefix":
      return typeof value === "string" && value.startsWith(String(operand));
    case "suffix":
      return typeof value === "string" && value.endsWith(String(operand));
    case "anything-but": {
      if (value === undefined) return false;
      if (typeof operand === "object" && operand !== null && !Array.isArray(operand)) return !fits(operand, value);
      return !(Array.isArray(operand) ? operand : [operand]).includes(value as Json);
    }
    case "numeric":
      return typeof value === "number" && compares(operand as Json[], value);
    default:
      throw new Error(`this stand-in of event patterns has no operator ${operator}`);
  }
}

function compares(operand: readonly Json[], value: number): boolean {
  for (let at = 0; at < operand.length; at += 2) {
    const limit = Number(operand[at + 1]);
    const holds = {
      "=": value === limit,
      "<": value < limit,
      "<=": value <= limit,
      ">": value > limit,
      ">=": value >= limit,
    };
    if (!holds[operand[at] as keyof typeof holds]) return false;
  }
  return true;
}
