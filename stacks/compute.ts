// Where workers run: AWS Batch on Fargate, and on EC2 machines with a GPU where the options ask for them. Nothing runs while
// no job waits.
import { DEFAULT_PLACEMENT } from "../packages/core/src/placement.ts";
import type { WorkerImage } from "./image.ts";
import { BLOB_PREFIXES, FILES_PREFIX } from "./lifecycle.ts";
import { logGroupName, nameOf } from "./names.ts";
import type { Network } from "./network.ts";
import { GPU_MACHINES, type Options } from "./options.ts";
import { blobs, containerInstance, image as imageAccess, logs, policyOf, rows, trustOf } from "./permissions.ts";
import type { Storage } from "./storage.ts";
import type { Environment, Input } from "./types.ts";

/** A tenant's use of this long ago counts half when Batch picks who is next. */
const SHARE_DECAY_SECONDS = 3600;
/** A job that no machine here could ever run leaves the head of its queue after this. */
const MISFIT_SECONDS = 900;
/** From SIGTERM to SIGKILL on EC2. Fargate tasks of Batch have 30 s, which cannot be set. */
const STOP_TIMEOUT = "60s";
const GPU_DISK_GIB = 100;
const LINGER_SECONDS = 60;

export interface ComputeInputs {
  readonly options: Options;
  readonly storage: Storage;
  readonly network: Network;
  readonly image: WorkerImage;
}

export interface Placement {
  readonly queue: Input<string>;
  readonly queueArn: Input<string>;
  readonly definition: Input<string>;
  /** Without its revision. */
  readonly definitionArn: Input<string>;
}

export function createCompute(inputs: ComputeInputs) {
  const { options, storage, image } = inputs;
  const account = aws.getCallerIdentityOutput().accountId;
  const logGroup = new aws.cloudwatch.LogGroup("WorkerLogs", {
    name: logGroupName("worker"),
    retentionInDays: options.logDays,
  });
  // Starts the container: pulls its image and writes its log.
  const executionRole = new aws.iam.Role("WorkerExecution", {
    name: nameOf("worker-execution"),
    assumeRolePolicy: trustOf("ecs-tasks.amazonaws.com", account),
    inlinePolicies: [{ name: "start", policy: policyOf([...imageAccess(image.repository), ...logs(logGroup.arn)]) }],
  });
  // What the worker itself may do. It claims, reads and writes, the files of clients among it; it starts nothing.
  const taskRole = new aws.iam.Role("WorkerTask", {
    name: nameOf("worker-task"),
    assumeRolePolicy: trustOf("ecs-tasks.amazonaws.com", account),
    inlinePolicies: [
      {
        name: "work",
        policy: policyOf([...rows(storage.table.arn), ...blobs(storage.bucket.arn, [...BLOB_PREFIXES, FILES_PREFIX])]),
      },
    ],
  });
  const sharing = new aws.batch.SchedulingPolicy("WorkerSharing", {
    name: nameOf("tenants"),
    // No list of shares: every tenant that comes has the same weight.
    fairSharePolicy: { shareDecaySeconds: SHARE_DECAY_SECONDS },
  });
  const shared: Shared = { ...inputs, logGroup, executionRole, taskRole, sharing };
  return { cpu: createCpu(shared), gpu: options.gpu && createGpu(shared, options.gpu) };
}
export type Compute = ReturnType<typeof createCompute>;

interface Shared extends ComputeInputs {
  readonly logGroup: aws.cloudwatch.LogGroup;
  readonly executionRole: aws.iam.Role;
  readonly taskRole: aws.iam.Role;
  readonly sharing: aws.batch.SchedulingPolicy;
}

function createCpu(shared: Shared): Placement {
  const { options, network } = shared;
  const environment = (type: "FARGATE" | "FARGATE_SPOT", name: string) =>
    // Fargate has no minimum to set: it is 0.
    new aws.batch.ComputeEnvironment(name, {
      namePrefix: `${nameOf(type === "FARGATE" ? "cpu" : "cpu-spot")}-`,
      type: "MANAGED",
      state: "ENABLED",
      computeResources: {
        type,
        maxVcpus: options.cpuVcpus,
        subnets: network.subnetIds,
        securityGroupIds: [network.workers.id],
      },
    });
  // Spare capacity first; what it has no room for runs on the ordinary kind.
  const environments = [
    ...(options.spot ? [environment("FARGATE_SPOT", "CpuSpot")] : []),
    environment("FARGATE", "CpuOnDemand"),
  ];
  return createPlacement(shared, "cpu", environments, {
    platform: "FARGATE",
    resources: [
      // The least; each job asks for its own size when it is submitted.
      { type: "VCPU", value: "1" },
      { type: "MEMORY", value: "2048" },
    ],
    container: {
      networkConfiguration: { assignPublicIp: "ENABLED" },
      fargatePlatformConfiguration: { platformVersion: "LATEST" },
      runtimePlatform: { cpuArchitecture: "X86_64", operatingSystemFamily: "LINUX" },
      ephemeralStorage: { sizeInGiB: options.diskGiB },
    },
    environment: {},
  });
}

function createGpu(shared: Shared, gpu: NonNullable<Options["gpu"]>): Placement {
  const { options, network } = shared;
  const machine = GPU_MACHINES[gpu.instanceType]!;
  const account = aws.getCallerIdentityOutput().accountId;
  const region = aws.getRegionOutput().region;
  const partition = aws.getPartitionOutput().partition;
  const role = new aws.iam.Role("GpuMachine", {
    name: nameOf("gpu-machine"),
    assumeRolePolicy: trustOf("ec2.amazonaws.com"),
    inlinePolicies: [
      {
        name: "agent",
        policy: policyOf(
          containerInstance(
            $interpolate`arn:${partition}:ecs:${region}:${account}:cluster/*`,
            $interpolate`arn:${partition}:ecs:${region}:${account}:container-instance/*`,
          ),
        ),
      },
    ],
  });
  const profile = new aws.iam.InstanceProfile("GpuMachineProfile", { name: nameOf("gpu-machine"), role: role.name });
  const template = new aws.ec2.LaunchTemplate("GpuMachineTemplate", {
    name: nameOf("gpu-machine"),
    // Batch gives its containers the machine's own network, so they can ask for the machine's credentials: those of the
    // agent and no more.
    metadataOptions: { httpTokens: "required", httpPutResponseHopLimit: 1 },
    blockDeviceMappings: [
      {
        deviceName: "/dev/xvda",
        ebs: { volumeSize: GPU_DISK_GIB, volumeType: "gp3", encrypted: "true", deleteOnTermination: "true" },
      },
    ],
    userData: Buffer.from(AGENT_SETTINGS).toString("base64"),
  });
  const environment = (type: "EC2" | "SPOT", name: string) =>
    new aws.batch.ComputeEnvironment(
      name,
      {
        namePrefix: `${nameOf(type === "EC2" ? "gpu" : "gpu-spot")}-`,
        type: "MANAGED",
        state: "ENABLED",
        computeResources: {
          type,
          allocationStrategy: type === "EC2" ? "BEST_FIT_PROGRESSIVE" : "SPOT_PRICE_CAPACITY_OPTIMIZED",
          minVcpus: 0,
          maxVcpus: gpu.maxVcpus,
          instanceTypes: [gpu.instanceType],
          ec2Configurations: [{ imageType: "ECS_AL2023_NVIDIA" }],
          instanceRole: profile.arn,
          launchTemplate: { launchTemplateId: template.id, version: "$Latest" },
          subnets: network.subnetIds,
          securityGroupIds: [network.workers.id],
          tags: { Name: nameOf("gpu-worker") },
        },
      },
      // Batch itself changes how many vCPUs it wants.
      { ignoreChanges: ["computeResources.desiredVcpus"] },
    );
  const environments = [...(options.spot ? [environment("SPOT", "GpuSpot")] : []), environment("EC2", "GpuOnDemand")];
  return createPlacement(shared, "gpu", environments, {
    platform: "EC2",
    resources: [
      { type: "VCPU", value: String(machine.vcpus) },
      { type: "MEMORY", value: String(machine.memoryMiB) },
      { type: "GPU", value: "1" },
    ],
    container: {},
    // "graphics" is what brings the Vulkan driver into the container.
    environment: { NVIDIA_DRIVER_CAPABILITIES: "compute,utility,graphics" },
  });
}

/** Read by the ECS agent at its start. MIME, as Batch wants it. */
const AGENT_SETTINGS = `MIME-Version: 1.0
Content-Type: multipart/mixed; boundary="==sortie=="

--==sortie==
Content-Type: text/x-shellscript; charset="us-ascii"

#!/bin/bash
cat >> /etc/ecs/ecs.config <<'SETTINGS'
ECS_CONTAINER_STOP_TIMEOUT=${STOP_TIMEOUT}
ECS_ENABLE_SPOT_INSTANCE_DRAINING=true
SETTINGS

--==sortie==--
`;

interface Kind {
  readonly platform: "FARGATE" | "EC2";
  readonly resources: readonly { readonly type: string; readonly value: string }[];
  readonly container: Readonly<Record<string, unknown>>;
  readonly environment: Environment;
}

function createPlacement(
  { options, storage, image, logGroup, executionRole, taskRole, sharing }: Shared,
  placement: "cpu" | "gpu",
  environments: readonly aws.batch.ComputeEnvironment[],
  kind: Kind,
): Placement {
  const title = placement === "cpu" ? "Cpu" : "Gpu";
  const region = aws.getRegionOutput().region;
  const queue = new aws.batch.JobQueue(`${title}Queue`, {
    name: nameOf(placement),
    state: "ENABLED",
    priority: 1,
    schedulingPolicyArn: sharing.arn,
    computeEnvironmentOrders: environments.map(({ arn }, at) => ({ order: at + 1, computeEnvironment: arn })),
    jobStateTimeLimitActions: [
      "MISCONFIGURATION:COMPUTE_ENVIRONMENT_MAX_RESOURCE",
      "MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT",
    ].map((reason) => ({ reason, state: "RUNNABLE", action: "CANCEL", maxTimeSeconds: MISFIT_SECONDS })),
  });
  const environment: Environment = {
    AWS_REGION: region,
    SORTIE_TABLE: storage.table.name,
    SORTIE_BUCKET: storage.bucket.name,
    SORTIE_LINGER_SECONDS: String(LINGER_SECONDS),
    ...options.limits,
    ...kind.environment,
  };
  const definition = new aws.batch.JobDefinition(`${title}Definition`, {
    name: nameOf(placement),
    type: "container",
    platformCapabilities: [kind.platform],
    propagateTags: true,
    // Attempts are Sortie's alone.
    retryStrategy: { attempts: 1 },
    timeout: { attemptDurationSeconds: DEFAULT_PLACEMENT.longestSeconds },
    // Queues that share by tenant take no job without one.
    schedulingPriority: 1,
    containerProperties: $jsonStringify({
      image: image.uri,
      jobRoleArn: taskRole.arn,
      executionRoleArn: executionRole.arn,
      resourceRequirements: kind.resources,
      ...kind.container,
      // An init process passes SIGTERM on and takes up what a worker's own processes leave.
      readonlyRootFilesystem: true,
      linuxParameters: { initProcessEnabled: true },
      environment: Object.entries(environment).map(([name, value]) => ({ name, value })),
      logConfiguration: {
        logDriver: "awslogs",
        options: {
          "awslogs-group": logGroup.name,
          "awslogs-region": region,
          "awslogs-stream-prefix": placement,
        },
      },
    }),
  });
  return { queue: queue.name, queueArn: queue.arn, definition: definition.name, definitionArn: definition.arnPrefix };
}
