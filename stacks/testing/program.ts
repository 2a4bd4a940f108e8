// Runs the stack program without a cloud: Pulumi's mocks answer for AWS, and what was asked for is written to a file as
// JSON. Bundled inside `.sst/platform` by test/stacks/synthesise.ts, with SST's own runner and components.
import { writeFileSync } from "node:fs";

/** As test/stacks/synthesise.ts reads it. */
interface Resource {
  readonly type: string;
  readonly name: string;
  readonly inputs: Record<string, unknown>;
}

const REGION = "eu-central-1";
const ACCOUNT = "123456789012";
const arn = (service: string, rest: string) => `arn:aws:${service}:${REGION}:${ACCOUNT}:${rest}`;

type Arn = (name: string, inputs: Record<string, unknown>) => string;
/** Those whose ARNs matter, since permissions name them. */
const ARNS: Readonly<Record<string, Arn>> = {
  "aws:s3/bucket:Bucket": (name) => `arn:aws:s3:::${name}`,
  "aws:dynamodb/table:Table": (name) => arn("dynamodb", `table/${name}`),
  "aws:lambda/function:Function": (name) => arn("lambda", `function:${name}`),
  "aws:batch/jobQueue:JobQueue": (name) => arn("batch", `job-queue/${name}`),
  "aws:batch/jobDefinition:JobDefinition": (name) => arn("batch", `job-definition/${name}:1`),
  "aws:cloudwatch/eventBus:EventBus": (name) => arn("events", `event-bus/${name}`),
  "aws:cloudwatch/eventRule:EventRule": (name, { eventBusName }) =>
    arn("events", `rule/${eventBusName ? `${eventBusName}/` : ""}${name}`),
  "aws:cloudwatch/logGroup:LogGroup": (name) => arn("logs", `log-group:${name}`),
  "aws:sqs/queue:Queue": (name) => arn("sqs", name),
  "aws:sns/topic:Topic": (name) => arn("sns", name),
  "aws:ecr/repository:Repository": (name) => arn("ecr", `repository/${name}`),
  "aws:iam/role:Role": (name) => `arn:aws:iam::${ACCOUNT}:role/${name}`,
  "aws:iam/instanceProfile:InstanceProfile": (name) => `arn:aws:iam::${ACCOUNT}:instance-profile/${name}`,
};

const resources: Resource[] = [];
/** What marks a secret among values: https://github.com/pulumi/pulumi/blob/master/sdk/proto/pulumi/provider.proto */
const SECRET = "4dabf18193072939515e22adb298388d";
/** As JSON, secrets without their wrapping. */
const clean = (value: unknown): unknown =>
  JSON.parse(JSON.stringify(value ?? null), (_key, inner) =>
    inner !== null && typeof inner === "object" && SECRET in inner ? inner.value : inner,
  );

await $util.runtime.setMocks(
  {
    newResource(args) {
      // Reading a resource that is there names its id; making one does not.
      const id = args.id || `${args.name}-id`;
      const inputs = args.inputs as Record<string, unknown>;
      resources.push({ type: args.type, name: args.name, inputs: clean(inputs) as Record<string, unknown> });
      const name = String(inputs["name"] ?? inputs["bucket"] ?? `${inputs["namePrefix"] ?? ""}${args.name}`);
      const own = ARNS[args.type]?.(name, inputs) ?? arn(args.type.split(":")[1]?.split("/")[0] ?? "other", args.name);
      const state = {
        ...inputs,
        name,
        arn: own,
        bucket: inputs["bucket"] ?? name,
        ...(args.type === "aws:dynamodb/table:Table" && { streamArn: `${own}/stream/2026-01-01T00:00:00.000` }),
        ...(args.type === "aws:batch/jobDefinition:JobDefinition" && { arnPrefix: own.replace(/:\d+$/, "") }),
        ...(args.type === "aws:lambda/functionUrl:FunctionUrl" && { functionUrl: "https://rpc.lambda-url.example/" }),
        ...(args.type === "aws:ecr/repository:Repository" && {
          registryId: ACCOUNT,
          repositoryUrl: `${ACCOUNT}.dkr.ecr.${REGION}.amazonaws.com/${name}`,
        }),
        ...(args.type === "docker-build:index:Image" && {
          ref: `${(inputs["tags"] as string[])[0]}@sha256:${"0".repeat(64)}`,
        }),
        ...(args.type === "aws:lb/loadBalancer:LoadBalancer" && { dnsName: "host.elb.example" }),
      };
      return { id, state };
    },
    call({ token, inputs }) {
      if (token === "aws:iam/getPolicyDocument:getPolicyDocument") {
        // SST looks at the statements to see whether there is a policy at all.
        const statements = (inputs["statements"] ?? []) as unknown[];
        return { statements, json: JSON.stringify({ statements }) };
      }
      const answers: Record<string, Record<string, unknown>> = {
        "aws:index/getCallerIdentity:getCallerIdentity": { accountId: ACCOUNT },
        "aws:index/getRegion:getRegion": { region: REGION, name: REGION },
        "aws:index/getPartition:getPartition": { partition: "aws", dnsSuffix: "amazonaws.com" },
        "aws:index/getAvailabilityZones:getAvailabilityZones": { names: ["a", "b", "c"].map((zone) => REGION + zone) },
        "aws:ecr/getAuthorizationToken:getAuthorizationToken": {
          userName: "AWS",
          password: "password",
          proxyEndpoint: "https://registry.example",
        },
      };
      const answer = answers[token];
      if (!answer) throw new Error(`the stand-in for AWS has no answer to ${token}`);
      return answer;
    },
  },
  $app.name,
  $app.stage,
  false,
);

/** Runs SST's own runner around the program and writes what came of it. */
export async function synthesise(run: () => Promise<Record<string, unknown>>): Promise<void> {
  const outputs = await $util.runtime.runInPulumiStack(run);
  await settled();
  writeFileSync(process.env["SORTIE_SYNTHESIS"]!, JSON.stringify({ resources, outputs }, null, 1));
}

/** Resources are made while outputs of others become known: the end is when nothing more has come for a while. */
async function settled(): Promise<void> {
  for (let quiet = 0, known = -1; quiet < 20; ) {
    await new Promise((resolve) => setTimeout(resolve, 25));
    quiet = known === resources.length ? quiet + 1 : 0;
    known = resources.length;
  }
}
