// One Lambda function: its role, its log and its settings, the same way for each.
import type { Bundles } from "./bundle.ts";
import { logGroupName } from "./names.ts";
import type { Options } from "./options.ts";
import { logs, type Statement, trustOf } from "./permissions.ts";
import type { Environment, Input } from "./types.ts";

/** What a stage is made of: what its operator chose, and the code. */
export interface Site {
  readonly options: Options;
  readonly bundles: Bundles;
}

export interface FunctionDefinition {
  /** Of its file in functions/, without the ending. */
  readonly entry: string;
  readonly description: string;
  readonly memoryMiB: number;
  readonly timeoutSeconds: number;
  readonly environment: Input<Environment>;
  readonly permissions: readonly Statement[];
  /** How often Lambda itself tries an asynchronous call again, and where one goes that failed for good. */
  readonly calls?: { readonly retries: 0 | 1 | 2; readonly deadLetters: Input<string> };
  readonly url?: sst.aws.FunctionArgs["url"];
  readonly streaming?: boolean;
}

/** @param title the logical name of the component */
export function createFunction(
  title: string,
  definition: FunctionDefinition,
  { options, bundles }: Site,
): sst.aws.Function {
  const logGroup = new aws.cloudwatch.LogGroup(`${title}Logs`, {
    name: logGroupName(definition.entry),
    retentionInDays: options.logDays,
  });
  const made = new sst.aws.Function(title, {
    bundle: `${bundles.functions}/${definition.entry}`,
    handler: "index.handler",
    description: definition.description,
    runtime: "nodejs24.x",
    // The price of a second is a fifth lower.
    architecture: "arm64",
    memory: `${definition.memoryMiB} MB`,
    timeout: `${definition.timeoutSeconds} seconds`,
    environment: definition.environment,
    permissions: [...definition.permissions, ...logs(logGroup.arn)],
    // One JSON object on each line, which Lambda shall leave as it is: metrics are read from them.
    logging: { logGroup: logGroup.name, format: "text" },
    dev: false,
    ...(definition.streaming && { streaming: true }),
    ...(definition.url && { url: definition.url }),
    transform: {
      role: (args) => {
        // AWS's policy for logs lets a function write every log of the account; its own log is among the permissions.
        args.managedPolicyArns = [];
        // SST lets the whole account take the role on, for its live mode.
        args.assumeRolePolicy = trustOf("lambda.amazonaws.com");
        return undefined;
      },
    },
  });
  const { calls } = definition;
  if (calls) {
    new aws.lambda.FunctionEventInvokeConfig(`${title}Calls`, {
      functionName: made.name,
      maximumRetryAttempts: calls.retries,
      maximumEventAgeInSeconds: 3600,
      destinationConfig: { onFailure: { destination: calls.deadLetters } },
    });
  }
  return made;
}
