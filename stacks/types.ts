// Names for SST's types that are used all over the stacks.

/** A value that may be known only after deployment. */
export type Input<T> = $util.Input<T>;
export type Output<T> = $util.Output<T>;
export type Environment = Record<string, Input<string>>;
