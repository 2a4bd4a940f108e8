// What the stacks ask AWS for, stage by stage and option by option.
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { DEFAULT_PLACEMENT } from "@sortie/core";
import { EVENT_SOURCE, readAwsSettings, tableDefinition, timeToLive } from "@sortie/platform-aws";
import { beforeAll, describe, expect, it } from "vitest";
import { TRAIN_MS } from "../../functions/lib/rpc-function.ts";
import { jobBlobs, sessionBlobs, uploadBlobs } from "../../packages/core/src/keys.ts";
import { appOf, root, type Synthesis, synthesise } from "./synthesise.ts";
import { all, one, statementsOf, VARIANTS, variant } from "./variants.ts";

let dev: Synthesis;
let production: Synthesis;
beforeAll(async () => {
  dev = await variant("dev");
  production = await variant("production");
});

describe("a stage", () => {
  it("called production keeps its data and cannot be removed by a slip; others leave nothing behind", async () => {
    expect(await appOf("production")).toMatchObject({ removal: "retain", protect: true });
    expect(await appOf("dev")).toMatchObject({ removal: "remove", protect: false });
    expect(one(production, "aws:dynamodb/table:Table", "RowsTable")["deletionProtectionEnabled"]).toBe(true);
    expect(one(dev, "aws:dynamodb/table:Table", "RowsTable")["deletionProtectionEnabled"]).toBe(false);
    expect(one(production, "aws:s3/bucket:Bucket", "BlobsBucket")["forceDestroy"]).toBe(false);
    expect(one(dev, "aws:s3/bucket:Bucket", "BlobsBucket")["forceDestroy"]).toBe(true);
  });

  it("shares no name with another", () => {
    const namesOf = ({ resources }: Synthesis) =>
      resources
        .filter(({ type }) => type.startsWith("aws:"))
        .flatMap(({ type, inputs }) => {
          const name =
            inputs["name"] ?? inputs["family"] ?? (type.includes("s3/bucket:") ? inputs["bucket"] : undefined);
          return typeof name === "string" ? [name] : [];
        });
    expect(namesOf(dev).filter((name) => !/^\/?sortie[-/]dev[-/]/.test(name))).toEqual([]);
    expect(namesOf(production).filter((name) => !/^\/?sortie[-/]production[-/]/.test(name))).toEqual([]);
  });

  it("of a wrong name, or with options that do not exist, is refused with every fault", async () => {
    const { readOptions } = await import("../../stacks/options.ts");
    const wrong = { SORTIE_STACK_AUTH: "open", SORTIE_STACK_GPU_VCPU: "4", SORTIE_STACK_DISK_GIB: "500" };
    expect(() => readOptions("My Stage", wrong)).toThrow(
      /stage is "My Stage"[\s\S]*SORTIE_STACK_GPU_VCPU is not an option[\s\S]*AUTH is "open"; allowed is token or iam[\s\S]*DISK_GIB is "500"; allowed is a whole number from 21 to 200/,
    );
  });
});

describe("the bucket", () => {
  it("is private, encrypted, reached by TLS only, and has one owner", () => {
    const block = one(dev, "BucketPublicAccessBlock", "BlobsPublicAccessBlock");
    expect(block).toMatchObject({
      blockPublicAcls: true,
      blockPublicPolicy: true,
      ignorePublicAcls: true,
      restrictPublicBuckets: true,
    });
    const [denied, ...others] = statementsOf(one(dev, "BucketPolicy", "BlobsPolicy")["policy"]);
    expect(others).toEqual([]);
    expect(denied).toMatchObject({
      effect: "Deny",
      actions: ["s3:*"],
      conditions: [{ test: "Bool", variable: "aws:SecureTransport", values: ["false"] }],
    });
    const encryption = one(dev, "BucketServerSideEncryptionConfiguration", "BlobsEncryption");
    expect(encryption["rules"][0].applyServerSideEncryptionByDefault.sseAlgorithm).toBe("AES256");
    const ownership = one(dev, "BucketOwnershipControls", "BlobsOwnership");
    expect(ownership["rule"].objectOwnership).toBe("BucketOwnerEnforced");
  });

  it("has a lifecycle for every prefix in use, and for unfinished multiparts", () => {
    interface Rule {
      readonly filter: { readonly prefix: string };
      readonly expiration?: { readonly days: number };
      readonly abortIncompleteMultipartUpload?: { readonly daysAfterInitiation: number };
    }
    const rules: Rule[] = one(dev, "BucketLifecycleConfiguration", "BlobsLifecycle")["rules"];
    const used = [jobBlobs("x"), uploadBlobs("x"), sessionBlobs("x"), "inbox/x.mps", "outbox/x.sol"];
    const expiring = (key: string) =>
      rules.filter(({ filter, expiration }) => expiration && key.startsWith(filter.prefix));
    for (const key of used) expect(expiring(key)).toHaveLength(1);
    // Kept on purpose, each with its reason.
    const kept = { "files/x": "clients name saved pipelines and their weights again, whenever they like" };
    for (const key of Object.keys(kept)) expect(expiring(key)).toEqual([]);
    expect(rules.filter((rule) => rule.abortIncompleteMultipartUpload)).toEqual([
      expect.objectContaining({ filter: { prefix: "" }, abortIncompleteMultipartUpload: { daysAfterInitiation: 1 } }),
    ]);
  });

  it("keeps a job's input as long as the job, beyond any time to live that is set", async () => {
    const { lifecycleRules } = await import("../../stacks/lifecycle.ts");
    for (const hours of [1, 168, 87_600]) {
      const days = new Map(lifecycleRules(hours, 90).map((rule) => [rule.filter.prefix, rule.expiration?.days]));
      expect(days.get("jobs/")).toBeGreaterThan(hours / 24);
      expect(days.get("uploads/")).toBe(days.get("jobs/"));
    }
    const rules = one(await variant("image"), "BucketLifecycleConfiguration", "BlobsLifecycle")["rules"];
    expect(rules[0]).toMatchObject({ filter: { prefix: "jobs/" }, expiration: { days: 62 } });
  });

  it("answers no web page unless one is named", async () => {
    expect(all(dev, "BucketCorsConfiguration")).toEqual([]);
    const [rule] = one(await variant("cors"), "BucketCorsConfiguration", "BlobsCors")["corsRules"];
    expect(rule).toMatchObject({ allowedOrigins: ["https://app.example.org"], allowedMethods: ["GET", "PUT"] });
  });
});

describe("the table", () => {
  it("is what the adapter's definition says", () => {
    const table = one(dev, "aws:dynamodb/table:Table", "RowsTable");
    const definition = tableDefinition("any");
    expect(table["billingMode"]).toBe(definition.BillingMode);
    const keys = ({ hashKey, rangeKey }: { hashKey: string; rangeKey: string }) => [
      { AttributeName: hashKey, KeyType: "HASH" },
      { AttributeName: rangeKey, KeyType: "RANGE" },
    ];
    expect(keys(table as never)).toEqual(definition.KeySchema);
    const attributes = (table["attributes"] as { name: string; type: string }[]).map(({ name, type }) => ({
      AttributeName: name,
      AttributeType: type,
    }));
    expect(attributes).toEqual(definition.AttributeDefinitions);
    const indexes = (table["globalSecondaryIndexes"] as { name: string; projectionType: string }[]).map((index) => ({
      IndexName: index.name,
      KeySchema: keys(index as never),
      Projection: { ProjectionType: index.projectionType },
    }));
    expect(indexes).toEqual(definition.GlobalSecondaryIndexes);
    expect(table["ttl"]).toEqual({
      attributeName: timeToLive("any").TimeToLiveSpecification!.AttributeName,
      enabled: true,
    });
  });

  it("has a stream of new images, and can be taken back to any moment", () => {
    expect(one(dev, "aws:dynamodb/table:Table", "RowsTable")).toMatchObject({
      streamEnabled: true,
      streamViewType: "NEW_IMAGE",
      pointInTimeRecovery: { enabled: true },
    });
  });
});

describe("workers", () => {
  it("cost nothing while none is asked for", async () => {
    const everything = await variant("everything");
    for (const { inputs } of all(everything, "ComputeEnvironment")) {
      const { type, minVcpus } = inputs["computeResources"];
      // Fargate takes no minimum.
      expect([type, minVcpus]).toEqual([type, type.startsWith("FARGATE") ? undefined : 0]);
    }
    expect(all(everything, "NatGateway")).toEqual([]);
    expect(all(everything, "aws:ec2/eip:Eip")).toEqual([]);
    const endpoints = all(everything, "VpcEndpoint").map(({ inputs }) => inputs["vpcEndpointType"]);
    expect(endpoints).toEqual(["Gateway", "Gateway"]);
  });

  it("run on Fargate, and let nobody in", () => {
    expect(all(dev, "ComputeEnvironment").map(({ inputs }) => inputs["computeResources"].type)).toEqual(["FARGATE"]);
    const group = one(dev, "SecurityGroup", "NetworkWorkers");
    expect(group["ingress"]).toEqual([]);
    expect(group["egress"]).toMatchObject([{ fromPort: 443, toPort: 443 }]);
  });

  it("make one Batch attempt each, within a time limit, and share by tenant", async () => {
    const everything = await variant("everything");
    const definitions = all(everything, "JobDefinition");
    expect(definitions.map(({ name }) => name).toSorted()).toEqual(["CpuDefinition", "GpuDefinition"]);
    for (const { inputs } of definitions) {
      expect(inputs).toMatchObject({
        type: "container",
        retryStrategy: { attempts: 1 },
        timeout: { attemptDurationSeconds: DEFAULT_PLACEMENT.longestSeconds },
        schedulingPriority: 1,
      });
    }
    const policy = one(everything, "SchedulingPolicy", "WorkerSharing");
    expect(policy["fairSharePolicy"].shareDecaySeconds).toBeGreaterThan(0);
    for (const { inputs } of all(everything, "JobQueue"))
      expect(inputs["schedulingPolicyArn"]).toMatch(/WorkerSharing$/);
  });

  it("have a log of their own, a role of their own, no writable root, and scratch disk", () => {
    const container = JSON.parse(one(dev, "JobDefinition", "CpuDefinition")["containerProperties"]);
    expect(container).toMatchObject({
      jobRoleArn: expect.stringMatching(/role\/sortie-dev-worker-task$/),
      executionRoleArn: expect.stringMatching(/role\/sortie-dev-worker-execution$/),
      readonlyRootFilesystem: true,
      linuxParameters: { initProcessEnabled: true },
      ephemeralStorage: { sizeInGiB: 21 },
      networkConfiguration: { assignPublicIp: "ENABLED" },
      logConfiguration: { logDriver: "awslogs", options: { "awslogs-group": "/sortie/dev/worker" } },
    });
    expect(one(dev, "LogGroup", "WorkerLogs")).toMatchObject({ name: "/sortie/dev/worker", retentionInDays: 30 });
  });

  it("have settings that they can read", () => {
    const container = JSON.parse(one(dev, "JobDefinition", "CpuDefinition")["containerProperties"]);
    const environment = Object.fromEntries(
      (container.environment as { name: string; value: string }[]).map(({ name, value }) => [name, value]),
    );
    const settings = readAwsSettings({
      ...environment,
      SORTIE_JOB_ID: "x",
      SORTIE_ATTEMPT: "1",
      SORTIE_PLACEMENT: "cpu",
    });
    expect(settings).toMatchObject({ table: expect.stringMatching(/^sortie-dev-RowsTable/), lingerMs: 60_000 });
    expect(environment["AWS_REGION"]).toBe("eu-central-1");
  });

  it("have the image of the repository's Dockerfile, or the one that is named, which is then not built", async () => {
    const build = one(dev, "docker-build:index:Image", "ImageBuild");
    expect(build["dockerfile"].location).toMatch(/\/Dockerfile$/);
    expect(build).toMatchObject({ push: true, platforms: ["linux/amd64"] });
    const own = JSON.parse(one(dev, "JobDefinition", "CpuDefinition")["containerProperties"]);
    expect(own.image).toMatch(/\/sortie-dev-worker@sha256:[0-9a-f]{64}$/);
    const given = await variant("image");
    expect(all(given, "docker-build:index:Image")).toEqual([]);
    expect(all(given, "Repository")).toEqual([]);
    const container = JSON.parse(one(given, "JobDefinition", "CpuDefinition")["containerProperties"]);
    expect(container.image).toBe("123456789012.dkr.ecr.eu-west-1.amazonaws.com/team/worker:1.2.3");
    const [pull] = statementsOf(one(given, "aws:iam/role:Role", "WorkerExecution")["inlinePolicies"][0].policy);
    expect(pull!.resources).toEqual(["arn:aws:ecr:eu-west-1:123456789012:repository/team/worker"]);
  });

  it("on spare capacity come first, and ordinary ones after them", async () => {
    const spot = await variant("spot");
    const orders = one(spot, "JobQueue", "CpuQueue")["computeEnvironmentOrders"];
    expect(
      orders.map(({ computeEnvironment }: { computeEnvironment: string }) => computeEnvironment.split(":").at(-1)),
    ).toEqual(["CpuSpot", "CpuOnDemand"]);
    expect(one(spot, "ComputeEnvironment", "CpuSpot")["computeResources"].type).toBe("FARGATE_SPOT");
    const everything = await variant("everything");
    expect(one(everything, "ComputeEnvironment", "GpuSpot")["computeResources"]).toMatchObject({
      type: "SPOT",
      allocationStrategy: "SPOT_PRICE_CAPACITY_OPTIMIZED",
    });
  });

  it("with a GPU are machines that exist only while they work, one job to each", async () => {
    expect(all(dev, "JobQueue").map(({ name }) => name)).toEqual(["CpuQueue"]);
    const gpu = await variant("gpu");
    expect(one(gpu, "ComputeEnvironment", "GpuOnDemand")["computeResources"]).toMatchObject({
      type: "EC2",
      minVcpus: 0,
      maxVcpus: 8,
      instanceTypes: ["g6.xlarge"],
      ec2Configurations: [{ imageType: "ECS_AL2023_NVIDIA" }],
    });
    const container = JSON.parse(one(gpu, "JobDefinition", "GpuDefinition")["containerProperties"]);
    expect(container.resourceRequirements).toContainEqual({ type: "GPU", value: "1" });
    const template = one(gpu, "LaunchTemplate", "GpuMachineTemplate");
    expect(template["metadataOptions"]).toMatchObject({ httpTokens: "required" });
    expect(template["blockDeviceMappings"][0].ebs.encrypted).toBe("true");
    expect(Buffer.from(template["userData"], "base64").toString()).toContain("ECS_CONTAINER_STOP_TIMEOUT=60s");
  });
});

describe("the functions", () => {
  const environmentOf = (synthesis: Synthesis, title: string): Record<string, string> =>
    one(synthesis, "aws:lambda/function:Function", `${title}Function`)["environment"].variables;

  it("are built for Node 24 from the files of functions/", () => {
    const functions = all(dev, "aws:lambda/function:Function");
    expect(functions.map(({ name }) => name).toSorted()).toEqual(
      ["BatchEvent", "Dispatch", "Inbox", "Infer", "Rpc", "Solve", "Sweep"].map((title) => `${title}Function`),
    );
    for (const { inputs } of functions)
      expect(inputs).toMatchObject({ runtime: "nodejs24.x", architectures: ["arm64"] });
  });

  it("have settings that they can read, with the placements that exist", async () => {
    const everything = await variant("everything");
    for (const title of ["BatchEvent", "Dispatch", "Inbox", "Rpc", "Sweep"]) {
      expect(readAwsSettings(environmentOf(dev, title))).toMatchObject({
        auth: "token",
        eventBus: "sortie-dev-events",
        inlineMemoryBytes: DEFAULT_PLACEMENT.inline.memoryBytes,
        placements: {
          inline: expect.stringMatching(/^sortie-dev-SolveFunction/),
          cpu: { queue: "sortie-dev-cpu", definition: "sortie-dev-cpu", fairShare: true },
          gpu: undefined,
        },
      });
      expect(readAwsSettings(environmentOf(everything, title)).placements.gpu).toMatchObject({
        queue: "sortie-production-gpu",
        machine: { vcpus: 4, memoryMiB: 14_800 },
      });
    }
    for (const title of ["Infer", "Solve"])
      expect(readAwsSettings(environmentOf(dev, title)).table).toMatch(/^sortie-dev-RowsTable/);
  });

  it("that answer calls know the function that runs inferences, and wait longer than it may take", () => {
    const [rpc, infer] = ["Rpc", "Infer"].map((title) =>
      one(dev, "aws:lambda/function:Function", `${title}Function`),
    ) as [Record<string, number>, Record<string, number>];
    expect(readAwsSettings(environmentOf(dev, "Rpc")).inferFunction).toBe(infer["name"]);
    expect(infer).toMatchObject({ memorySize: 2048, timeout: 60 });
    // Lambda gives a start at most 10 s.
    expect(rpc["timeout"]).toBeGreaterThan(infer["timeout"]! + 10);
    // A Train stream ends before it would be cut off.
    expect(rpc["timeout"]! * 1000).toBeGreaterThan(TRAIN_MS + 10_000);
  });

  it("refuse webhooks until a secret was set", () => {
    expect(readAwsSettings(environmentOf(dev, "Dispatch")).webhookSecret).toBeUndefined();
  });

  it("take limits on", async () => {
    expect(readAwsSettings(environmentOf(await variant("image"), "Rpc")).limits.jobTtlMs).toBe(48 * 3_600_000);
  });

  it("have memory for what may run in place, and the whole time of a function", () => {
    const solve = one(dev, "aws:lambda/function:Function", "SolveFunction");
    expect(solve["memorySize"]).toBe(DEFAULT_PLACEMENT.inline.memoryBytes / 2 ** 20);
    expect(solve["timeout"]).toBe(900);
    expect(solve["timeout"]).toBeGreaterThan(DEFAULT_PLACEMENT.inline.timeLimitSeconds);
  });

  it("that were called once for one attempt are not called again by Lambda", () => {
    expect(one(dev, "FunctionEventInvokeConfig", "SolveCalls")["maximumRetryAttempts"]).toBe(0);
    expect(one(dev, "FunctionEventInvokeConfig", "BatchEventCalls")["maximumRetryAttempts"]).toBe(2);
    for (const { inputs } of all(dev, "FunctionEventInvokeConfig")) {
      expect(inputs["destinationConfig"].onFailure.destination).toMatch(/:sortie-dev-dead-calls$/);
    }
  });

  it("keep their logs for a month", () => {
    const kept = all(dev, "LogGroup").map(({ inputs }) => inputs["retentionInDays"]);
    expect(kept).toHaveLength(8);
    expect(new Set(kept)).toEqual(new Set([30]));
  });
});

describe("a deployment", () => {
  it("bundles the functions and the host by the repository's own scripts first", async () => {
    const { SORTIE_STACK_HOST_CERTIFICATE } = VARIANTS.host.options;
    const whole = await synthesise("dev", { SORTIE_STACK_HOST_CERTIFICATE }, "real");
    expect(all(whole, "aws:lambda/function:Function")).toHaveLength(7);
    const codes = all(whole, "BucketObjectv2").map(({ inputs }) => inputs["key"]);
    expect(new Set(codes).size).toBe(7);
    // The engine's native files, for the processor that the functions run on.
    const native = "infer/node_modules/onnxruntime-node/bin/napi-v6/linux";
    expect(readdirSync(join(root, ".sst/bundles/functions", native))).toEqual(["arm64"]);
    const build = one(whole, "docker-build:index:Image", "HostImageBuild");
    expect(statSync(join(build["context"].location, "index.mjs")).size).toBeGreaterThan(100_000);
    expect(build["dockerfile"].inline).toMatch(
      /^FROM \S+\/sortie-dev-worker@sha256:\S+\nCOPY \. \/opt\/sortie\/host\nENTRYPOINT/,
    );
  });
});

describe("the function URL", () => {
  it("streams its answers", () => {
    expect(one(dev, "FunctionUrl", "RpcUrl")["invokeMode"]).toBe("RESPONSE_STREAM");
    expect(all(dev, "FunctionUrl")).toHaveLength(1);
    expect(one(dev, "aws:lambda/function:Function", "RpcFunction")["timeout"]).toBeGreaterThan(25);
  });

  it("is never open: the function asks for tokens, or AWS for signatures", async () => {
    const rpc = (synthesis: Synthesis) => one(synthesis, "aws:lambda/function:Function", "RpcFunction");
    expect(one(dev, "FunctionUrl", "RpcUrl")["authorizationType"]).toBe("NONE");
    expect(rpc(dev)["environment"].variables.SORTIE_AUTH).toBe("token");
    const iam = await variant("iam");
    expect(one(iam, "FunctionUrl", "RpcUrl")["authorizationType"]).toBe("AWS_IAM");
    expect(rpc(iam)["environment"].variables.SORTIE_AUTH).toBe("iam");
  });

  it("answers no web page unless one is named", async () => {
    expect(one(dev, "FunctionUrl", "RpcUrl")["cors"]).toBeUndefined();
    expect(one(await variant("cors"), "FunctionUrl", "RpcUrl")["cors"]).toMatchObject({
      allowOrigins: ["https://app.example.org"],
      allowCredentials: false,
    });
  });
});

describe("events", () => {
  it("of the stream come in small batches, fail one by one, and end in a dead-letter queue", () => {
    expect(one(dev, "EventSourceMapping", "DispatchStream")).toMatchObject({
      functionResponseTypes: ["ReportBatchItemFailures"],
      bisectBatchOnFunctionError: true,
      maximumRetryAttempts: 5,
      destinationConfig: { onFailure: { destinationArn: expect.stringMatching(/:sortie-dev-dead-stream$/) } },
    });
  });

  it("of Batch are those of this stage's queues that ended", async () => {
    const pattern = JSON.parse(one(await variant("gpu"), "EventRule", "BatchEvents")["eventPattern"]);
    expect(pattern).toMatchObject({
      source: ["aws.batch"],
      "detail-type": ["Batch Job State Change"],
      detail: {
        status: ["FAILED", "SUCCEEDED"],
        jobQueue: [
          expect.stringMatching(/job-queue\/sortie-dev-cpu$/),
          expect.stringMatching(/job-queue\/sortie-dev-gpu$/),
        ],
      },
    });
  });

  it("of the inbox are models that were put there, and their jobs that ended", () => {
    const { lambdaFunctions } = one(dev, "BucketNotification", "InboxNotification") as {
      lambdaFunctions: { events: string[]; filterPrefix: string }[];
    };
    expect(lambdaFunctions).toEqual([
      expect.objectContaining({ events: ["s3:ObjectCreated:*"], filterPrefix: "inbox/" }),
    ]);
    const rule = one(dev, "EventRule", "InboxEnded");
    expect(rule["eventBusName"]).toBe("sortie-dev-events");
    expect(JSON.parse(rule["eventPattern"])).toEqual({
      source: [EVENT_SOURCE],
      "detail-type": ["Job Completed", "Job Failed", "Job Cancelled"],
      detail: { inboxFile: [{ exists: true }] },
    });
  });

  it("of the clock come each minute", () => {
    expect(one(dev, "EventRule", "SweepClock")["scheduleExpression"]).toBe("rate(1 minute)");
  });

  it("that cannot be handed over end in a dead-letter queue", () => {
    const targets = all(dev, "EventTarget");
    expect(targets).toHaveLength(3);
    for (const { inputs } of targets) expect(inputs["deadLetterConfig"].arn).toMatch(/:sortie-dev-dead-rules$/);
    for (const { inputs } of all(dev, "aws:sqs/queue:Queue")) {
      expect(inputs).toMatchObject({ messageRetentionSeconds: 14 * 24 * 3600, sqsManagedSseEnabled: true });
    }
  });
});

describe("alarms", () => {
  it("watch the oldest queued job, failures, throttles and dead letters, and write to who is named", async () => {
    const synthesis = await variant("alarms");
    expect(
      all(synthesis, "MetricAlarm")
        .map(({ name }) => name)
        .toSorted(),
    ).toEqual(["AlarmDeadLetters", "AlarmFailures", "AlarmOldestQueued", "AlarmThrottles"]);
    expect(one(synthesis, "MetricAlarm", "AlarmOldestQueued")).toMatchObject({
      namespace: "Sortie",
      metricName: "OldestQueuedSeconds",
      dimensions: { Table: expect.stringMatching(/^sortie-dev-RowsTable/) },
      threshold: 900,
      treatMissingData: "breaching",
    });
    interface Query {
      readonly metric?: { readonly metricName: string; readonly dimensions: Record<string, string> };
    }
    const watched = (name: string) =>
      (one(synthesis, "MetricAlarm", name)["metricQueries"] as Query[]).flatMap(({ metric }) =>
        metric ? [metric] : [],
      );
    const functions = all(synthesis, "aws:lambda/function:Function").map(({ inputs }) => inputs["name"]);
    expect(
      watched("AlarmFailures")
        .map(({ dimensions }) => dimensions["FunctionName"])
        .toSorted(),
    ).toEqual(functions.toSorted());
    expect(new Set(watched("AlarmThrottles").map(({ metricName }) => metricName))).toEqual(new Set(["Throttles"]));
    expect(watched("AlarmDeadLetters")).toHaveLength(3);
    expect(one(synthesis, "TopicSubscription", "AlarmsEmail")).toMatchObject({
      protocol: "email",
      endpoint: "ops@example.org",
    });
  });

  it("are on in production and, where they would cost an idle stage money, off elsewhere", () => {
    expect(all(production, "MetricAlarm")).toHaveLength(4);
    expect(all(dev, "MetricAlarm")).toEqual([]);
  });
});

describe("the host for native gRPC clients", () => {
  it("is not there unless it is asked for", () => {
    expect(all(production, "LoadBalancer")).toEqual([]);
    expect(all(production, "aws:ecs/service:Service")).toEqual([]);
  });

  it("stands behind a load balancer that ends TLS and speaks HTTP/2", async () => {
    const host = await variant("host");
    expect(one(host, "LoadBalancer", "Host")["loadBalancerType"]).toBe("network");
    expect(one(host, "Listener", "HostListener")).toMatchObject({
      protocol: "TLS",
      port: 443,
      alpnPolicy: "HTTP2Preferred",
      certificateArn: expect.stringContaining(":certificate/"),
    });
    expect(one(host, "TargetGroup", "HostTargets")["healthCheck"]).toMatchObject({ path: "/healthz" });
    const behind = one(host, "SecurityGroup", "HostBehind");
    expect(behind["ingress"]).toMatchObject([{ fromPort: 5001, toPort: 5001, securityGroups: ["HostFront-id"] }]);
  });

  it("asks every caller for a token, however callers of the function URL prove who they are", async () => {
    const [container] = JSON.parse(
      one(await variant("host"), "TaskDefinition", "HostTaskDefinition")["containerDefinitions"],
    );
    expect(container.environment).toContainEqual({ name: "SORTIE_AUTH", value: "token" });
    expect(container).toMatchObject({ readonlyRootFilesystem: true, essential: true });
  });
});
