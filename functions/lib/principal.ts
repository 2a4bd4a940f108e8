// Who signed a request, as a name that stays the same over that caller's sessions.

const ASSUMED_ROLE = /^(arn:[^:]+:sts::\d+:assumed-role\/[^/]+)\//;

/**
 * The tenant's name of an IAM principal: the ARN of a user or of an account's root, and of an assumed role the ARN without
 * the session, which is another each time.
 */
export function principalName(userArn: string): string {
  return ASSUMED_ROLE.exec(userArn)?.[1] ?? userArn;
}
