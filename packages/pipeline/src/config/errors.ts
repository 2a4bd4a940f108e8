// Faults of configurations, by what a caller can do about them.

export type ConfigReason =
  /** The file itself is not there. */
  | "file-not-found"
  /** None of the seven config types. */
  | "unknown-type"
  /** Broken YAML, an unknown default entry, an override that the grammar or the file does not allow. */
  | "composition"
  /** An override of a form that is not available here, a path that leads out, and the like. */
  | "invalid-request"
  /** An interpolation that leads nowhere or in a circle. */
  | "interpolation"
  /** A result that does not fit its model. */
  | "validation";

export class ConfigError extends Error {
  override readonly name: string = "ConfigError";
  readonly reason: ConfigReason;

  constructor(reason: ConfigReason, message: string, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
  }
}

/** One field that does not fit, at a dotted location; list elements by number, empty for the whole. */
export interface Violation {
  readonly location: string;
  readonly message: string;
  /** A short stable word for the kind of fault: missing, extra_forbidden, int_parsing, … */
  readonly type: string;
  readonly input: unknown;
}

export class ConfigValidationError extends ConfigError {
  override readonly name = "ConfigValidationError";
  readonly violations: readonly Violation[];

  constructor(model: string, violations: readonly Violation[]) {
    super("validation", describe(model, violations));
    this.violations = violations;
  }
}

function describe(model: string, violations: readonly Violation[]): string {
  const count = violations.length;
  const lines = violations.flatMap(({ location, message, type, input }) => [
    ...(location === "" ? [] : [location]),
    `  ${message} [type=${type}, input_value=${shorten(input)}]`,
  ]);
  return [`${count} validation error${count === 1 ? "" : "s"} for ${model}`, ...lines].join("\n");
}

function shorten(input: unknown): string {
  const text = JSON.stringify(input) ?? "undefined";
  return text.length > 60 ? `${text.slice(0, 30)}...${text.slice(-27)}` : text;
}
