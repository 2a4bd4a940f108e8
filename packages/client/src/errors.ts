// What can go wrong for a caller of the client.

/** The job ended without a result. */
export class JobEndedError extends Error {
  override readonly name = "JobEndedError";
  readonly state: "failed" | "cancelled" | "unknown";

  constructor(state: "failed" | "cancelled" | "unknown", message: string) {
    super(message);
    this.state = state;
  }
}
