// Names of resources: each begins with the app and its stage, so stages never meet.

/** @param what in lower case, parts joined by hyphens */
export const nameOf = (what: string): string => `${$app.name}-${$app.stage}-${what}`;

/** One log group for each thing that logs. */
export const logGroupName = (what: string): string => `/${$app.name}/${$app.stage}/${what}`;
