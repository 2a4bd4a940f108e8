// What each role may do: nothing that is not on a list, nothing of another stage, and for each function what its work needs.
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { root, type Synthesis } from "./synthesise.ts";
import { all, type Role, rolesOf, statementsOf, type VariantName, variant } from "./variants.ts";

/** Calls that AWS lets nobody narrow down to a resource, each with its reason. */
const WITHOUT_RESOURCE: Readonly<Record<string, string>> = {
  "batch:DescribeJobs": "supports no resource-level permissions",
  "batch:ListJobs": "supports no resource-level permissions",
  "dynamodb:ListStreams": "supports no resource-level permissions; Lambda's event source asks for it",
  "ecr:GetAuthorizationToken": "is a login to the whole registry of an account",
  "ecs:DiscoverPollEndpoint": "supports no resource-level permissions",
};

/** ARNs that end in an asterisk, each with its reason. */
const PATTERNS: readonly (readonly [RegExp, string])[] = [
  [/^arn:aws:dynamodb:.+:table\/sortie-\w+-\S+\/index\/\*$/, "both indexes of the one table"],
  [/^arn:aws:s3:::sortie-\w+-[^/]+\/(jobs|uploads|sessions|files|inbox|outbox)\/\*$/, "objects under one prefix"],
  [/^arn:aws:logs:.+:log-group:\/sortie\/\w+\/[\w-]+:\*$/, "streams of one log group"],
  [/^arn:aws:batch:.+:job-definition\/sortie-\w+-(cpu|gpu):\*$/, "revisions of one job definition"],
  [/^arn:aws:batch:.+:job\/\*$/, "Batch names jobs itself, and their ARN tells no queue"],
  [/^arn:aws:ecs:.+:(cluster|container-instance)\/\*$/, "Batch makes and names the cluster of GPU machines"],
];

/** Who may use which services at all. */
const SERVICES: Readonly<Record<string, readonly string[]>> = {
  RpcRole: ["dynamodb", "lambda", "logs", "s3"],
  InferRole: ["dynamodb", "logs", "s3"],
  SolveRole: ["dynamodb", "logs", "s3", "sqs"],
  DispatchRole: ["batch", "dynamodb", "events", "lambda", "logs", "s3", "sqs"],
  BatchEventRole: ["batch", "dynamodb", "events", "lambda", "logs", "s3", "sqs"],
  InboxRole: ["dynamodb", "logs", "s3", "sqs"],
  SweepRole: ["batch", "dynamodb", "events", "lambda", "logs", "s3", "sqs"],
  WorkerTask: ["dynamodb", "s3"],
  WorkerExecution: ["ecr", "logs"],
  GpuMachine: ["ecs"],
  HostTask: ["dynamodb", "s3"],
  HostExecution: ["ecr", "logs"],
};

const TRUSTED: Readonly<Record<string, string>> = {
  WorkerTask: "ecs-tasks.amazonaws.com",
  WorkerExecution: "ecs-tasks.amazonaws.com",
  HostTask: "ecs-tasks.amazonaws.com",
  HostExecution: "ecs-tasks.amazonaws.com",
  GpuMachine: "ec2.amazonaws.com",
};

const actionsOf = ({ statements }: Role): string[] => statements.flatMap(({ actions }) => actions);

describe.each(["dev", "everything"] as const satisfies VariantName[])("every role of the variant %s", (name) => {
  let synthesis: Synthesis;
  let roles: Role[];
  beforeAll(async () => {
    synthesis = await variant(name);
    roles = rolesOf(synthesis);
  });

  it("is known here", () => {
    const known = Object.keys(SERVICES).filter((role) => name === "everything" || !/^(Gpu|Host)/.test(role));
    expect(roles.map((role) => role.name).toSorted()).toEqual(known.toSorted());
  });

  it("has no action with a wildcard, and no policy but its own", () => {
    for (const role of roles) {
      expect(actionsOf(role).filter((action) => /[*?]/.test(action) || !action.includes(":"))).toEqual([]);
      expect(role.managed).toEqual([]);
      for (const { effect = "Allow" } of role.statements) expect(effect).toBe("Allow");
    }
    expect(all(synthesis, "RolePolicyAttachment")).toEqual([]);
    expect(all(synthesis, "RolePolicy")).toEqual([]);
  });

  it("names its resources, but for calls that take none", () => {
    const faults = roles.flatMap((role) =>
      role.statements
        .filter(({ resources }) => resources.length === 0 || resources.includes("*"))
        .flatMap(({ actions }) => actions.filter((action) => !(action in WITHOUT_RESOURCE)))
        .map((action) => `${role.name} may ${action} on everything`),
    );
    expect(faults).toEqual([]);
  });

  it("has patterns of resources only where there is a reason", () => {
    const patterns = roles.flatMap(({ statements }) =>
      statements.flatMap(({ resources }) => resources.filter((each) => each !== "*" && /[*?]/.test(each))),
    );
    expect(patterns.filter((each) => !PATTERNS.some(([pattern]) => pattern.test(each)))).toEqual([]);
  });

  it("reaches nothing of another stage", () => {
    const { stage } = { stage: name === "dev" ? "dev" : "production" };
    const named = roles.flatMap(({ statements }) => statements.flatMap(({ resources }) => resources));
    const foreign = named.filter(
      (each) =>
        !each.includes(`sortie-${stage}-`) &&
        !each.includes(`/sortie/${stage}/`) &&
        !/^\*$|:job\/\*$|^arn:aws:ecs:/.test(each),
    );
    expect(foreign).toEqual([]);
  });

  it("uses the services of its work and no other", () => {
    for (const role of roles) {
      const services = new Set(actionsOf(role).map((action) => action.split(":")[0]!));
      expect([role.name, [...services].toSorted()]).toEqual([role.name, SERVICES[role.name]]);
    }
  });

  it("can be taken on by one service only, not by the account's own people", () => {
    for (const { name: role, trust } of roles) {
      expect(trust).toHaveLength(1);
      expect(trust[0]!.actions).toEqual(["sts:AssumeRole"]);
      expect(trust[0]!.principals).toEqual([
        { type: "Service", identifiers: [TRUSTED[role] ?? "lambda.amazonaws.com"] },
      ]);
    }
  });
});

describe("a role", () => {
  let roles: ReadonlyMap<string, Role>;
  beforeAll(async () => {
    roles = new Map(rolesOf(await variant("everything")).map((role) => [role.name, role]));
  });
  const resourcesOf = (role: string, action: string): string[] =>
    roles.get(role)!.statements.flatMap(({ actions, resources }) => (actions.includes(action) ? resources : []));

  it("of calls and of workers has no way to start anything, but that calls have inferences run", () => {
    for (const role of ["RpcRole", "InferRole", "SolveRole", "WorkerTask", "InboxRole", "HostTask"]) {
      const started = actionsOf(roles.get(role)!).filter((action) =>
        /^(batch|lambda|events|ecs|iam|sts):/.test(action),
      );
      expect([role, ...started]).toEqual(role === "RpcRole" ? [role, "lambda:InvokeFunction"] : [role]);
    }
    const invoked = resourcesOf("RpcRole", "lambda:InvokeFunction");
    expect(invoked).toHaveLength(1);
    expect(invoked[0]).toMatch(/:function:sortie-production-Infer/);
  });

  it("never reads or writes a whole table, and changes no settings", () => {
    for (const role of roles.values()) {
      const wrong = actionsOf(role).filter((action) =>
        /:(Scan|PartiQL|PutItem$|CreateTable|UpdateTable|DeleteTable|PutBucket|DeleteBucket|PutObjectAcl|Put.*Policy|PassRole)/.test(
          action,
        ),
      );
      expect(wrong).toEqual([]);
    }
  });

  it("reaches the inbox and the outbox only if it is the inbox's", () => {
    const reached = [...roles.values()].flatMap((role) =>
      role.statements.some(({ resources }) => resources.some((each) => /\/(in|out)box\//.test(each)))
        ? [role.name]
        : [],
    );
    expect(reached).toEqual(["InboxRole"]);
  });

  it("reaches the files of clients only if it answers their calls or does their work, and of the rest no more than sessions to infer", () => {
    const reached = [...roles.values()].flatMap((role) =>
      role.statements.some(({ resources }) => resources.some((each) => each.includes("/files/"))) ? [role.name] : [],
    );
    expect(reached.toSorted()).toEqual(["HostTask", "InferRole", "RpcRole", "WorkerTask"]);
    for (const action of ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"]) {
      expect(
        resourcesOf("InferRole", action)
          .map((each) => each.split("/").at(-2))
          .toSorted(),
      ).toEqual(["files", "sessions"]);
    }
  });

  it("that starts workers uses this stage's queues, definitions and function", () => {
    for (const role of ["DispatchRole", "SweepRole", "BatchEventRole"]) {
      const short = resourcesOf(role, "batch:SubmitJob").map((each) => each.split(":").slice(5).join(":"));
      expect(short.toSorted()).toEqual([
        "job-definition/sortie-production-cpu",
        "job-definition/sortie-production-cpu:*",
        "job-definition/sortie-production-gpu",
        "job-definition/sortie-production-gpu:*",
        "job-queue/sortie-production-cpu",
        "job-queue/sortie-production-gpu",
      ]);
      const invoked = resourcesOf(role, "lambda:InvokeFunction");
      expect(invoked).toHaveLength(1);
      expect(invoked[0]).toMatch(/:function:sortie-production-Solve/);
    }
  });

  it("writes its own log and nobody else's", () => {
    const groups = new Map(
      [...roles.values()].map((role) => [
        role.name,
        resourcesOf(role.name, "logs:PutLogEvents").map((each) => each.split(":")[6]),
      ]),
    );
    expect(groups.get("RpcRole")).toEqual(["/sortie/production/rpc"]);
    expect(groups.get("SweepRole")).toEqual(["/sortie/production/sweep"]);
    expect(groups.get("WorkerExecution")).toEqual(["/sortie/production/worker"]);
  });
});

/** What each command of the SDK needs. */
const ACTIONS: Readonly<Record<string, readonly string[]>> = {
  AbortMultipartUploadCommand: ["s3:AbortMultipartUpload"],
  BatchWriteItemCommand: ["dynamodb:BatchWriteItem", "dynamodb:DeleteItem"],
  CompleteMultipartUploadCommand: ["s3:PutObject"],
  CreateMultipartUploadCommand: ["s3:PutObject"],
  DeleteItemCommand: ["dynamodb:DeleteItem"],
  DeleteObjectCommand: ["s3:DeleteObject"],
  DeleteObjectsCommand: ["s3:DeleteObject"],
  DescribeJobsCommand: ["batch:DescribeJobs"],
  GetItemCommand: ["dynamodb:GetItem"],
  GetObjectCommand: ["s3:GetObject"],
  HeadObjectCommand: ["s3:GetObject", "s3:ListBucket"],
  InvokeCommand: ["lambda:InvokeFunction"],
  ListJobsCommand: ["batch:ListJobs"],
  ListObjectsV2Command: ["s3:ListBucket"],
  PutEventsCommand: ["events:PutEvents"],
  PutObjectCommand: ["s3:PutObject"],
  QueryCommand: ["dynamodb:Query"],
  SubmitJobCommand: ["batch:SubmitJob"],
  TerminateJobCommand: ["batch:TerminateJob"],
  UpdateItemCommand: ["dynamodb:UpdateItem"],
  UploadPartCommand: ["s3:PutObject"],
};

describe("what the adapters call", () => {
  const used = (): string[] => {
    const files = globSync("packages/platform-aws/src/*.ts", { cwd: root }).filter(
      (file) => !file.endsWith(".test.ts"),
    );
    const found = files.flatMap(
      (file) => readFileSync(join(root, file), "utf8").match(/(?<=new )\w+Command(?=\()/g) ?? [],
    );
    return [...new Set(found)].toSorted();
  };

  it("is known here, command by command", () => {
    expect(used()).toEqual(Object.keys(ACTIONS));
  });

  it("is granted, and nothing is granted to functions that none of it needs", async () => {
    const roles = rolesOf(await variant("everything")).filter(({ name }) => /Role$|Task$/.test(name));
    const granted = new Set(roles.flatMap(actionsOf));
    const needed = used().flatMap((command) => ACTIONS[command] ?? []);
    expect(needed.filter((action) => !granted.has(action))).toEqual([]);
    const own = /^(logs|sqs):|^dynamodb:(DescribeStream|GetRecords|GetShardIterator|ListStreams)$/;
    expect([...granted].filter((action) => !needed.includes(action) && !own.test(action))).toEqual([]);
  });
});

describe("policies of resources", () => {
  it("let the rules of the stage, and nothing else, bury events", async () => {
    const [policy, ...others] = all(await variant("dev"), "QueuePolicy");
    expect(others).toEqual([]);
    const [statement] = statementsOf(policy!.inputs["policy"]);
    expect(statement!.principals).toEqual([{ type: "Service", identifiers: ["events.amazonaws.com"] }]);
    expect(statement!.conditions![0]!.values.map((arn) => arn.split("/").at(-1)).toSorted()).toEqual([
      "sortie-dev-batch-events",
      "sortie-dev-inbox-ended",
      "sortie-dev-sweep-clock",
    ]);
  });

  it("let nobody call a function but its own source", async () => {
    for (const { name, inputs } of all(await variant("iam"), "aws:lambda/permission:Permission")) {
      expect([name, inputs["principal"]]).not.toEqual([name, "*"]);
      expect(inputs["sourceArn"]).toContain("sortie-dev-");
    }
  });
});
