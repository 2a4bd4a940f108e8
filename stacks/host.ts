// Optional: the server host on Fargate for native gRPC clients, which a function URL cannot answer (no HTTP/2 trailers). It
// serves the same table and blobs as the functions, and like them it starts nothing: the table's stream does.
//
// A network load balancer ends TLS and hands the bytes on, so every protocol of the host's one port comes through, streams
// of any length included. This is the one part of the stacks that costs while nothing runs.

import type { Site } from "./functions.ts";
import { digestOf, type WorkerImage } from "./image.ts";
import { BLOB_PREFIXES, FILES_PREFIX } from "./lifecycle.ts";
import { logGroupName, nameOf } from "./names.ts";
import type { Network } from "./network.ts";
import { blobs, image as imageAccess, logs, policyOf, rows, trustOf } from "./permissions.ts";
import type { Storage } from "./storage.ts";
import type { Environment, Input } from "./types.ts";

const PORT = 5001;
/** It runs inferences itself, on cubes of up to 300 MiB. */
const VCPUS = 1;
const MEMORY_MIB = 4096;
/** A stream may say nothing for so long before the load balancer forgets it. */
const IDLE_SECONDS = 6000;

export interface HostInputs {
  readonly site: Site;
  readonly storage: Storage;
  readonly network: Network;
  readonly image: WorkerImage;
  readonly environment: Environment;
}

/** @returns the address of the load balancer; the certificate's name must lead to it */
export function createHost({ site, storage, network, image, environment }: HostInputs): Input<string> | undefined {
  const { options, bundles } = site;
  const certificateArn = options.hostCertificate;
  if (certificateArn === undefined) return undefined;
  const account = aws.getCallerIdentityOutput().accountId;
  const region = aws.getRegionOutput().region;
  const logGroup = new aws.cloudwatch.LogGroup("HostLogs", {
    name: logGroupName("host"),
    retentionInDays: options.logDays,
  });
  // The worker's image has Node and what ONNX Runtime links against; the bundle goes on top of it.
  const login = aws.ecr.getAuthorizationTokenOutput({});
  const repository = new aws.ecr.Repository("HostImage", {
    name: nameOf("host"),
    imageScanningConfiguration: { scanOnPush: true },
    encryptionConfigurations: [{ encryptionType: "AES256" }],
    forceDelete: true,
  });
  const built = new dockerbuild.Image("HostImageBuild", {
    context: { location: bundles.host },
    dockerfile: {
      inline: $interpolate`FROM ${image.uri}
COPY . /opt/sortie/host
ENTRYPOINT ["/usr/local/bin/node", "/opt/sortie/host/index.mjs"]
`,
    },
    platforms: ["linux/amd64"],
    tags: [$interpolate`${repository.repositoryUrl}:latest`],
    push: true,
    registries: [{ address: login.proxyEndpoint, username: login.userName, password: $util.secret(login.password) }],
  });

  const executionRole = new aws.iam.Role("HostExecution", {
    name: nameOf("host-execution"),
    assumeRolePolicy: trustOf("ecs-tasks.amazonaws.com", account),
    inlinePolicies: [{ name: "start", policy: policyOf([...imageAccess(repository.arn), ...logs(logGroup.arn)]) }],
  });
  // The same as the function behind the URL, but that it calls no other: it has an engine.
  const taskRole = new aws.iam.Role("HostTask", {
    name: nameOf("host-task"),
    assumeRolePolicy: trustOf("ecs-tasks.amazonaws.com", account),
    inlinePolicies: [
      {
        name: "serve",
        policy: policyOf([...rows(storage.table.arn), ...blobs(storage.bucket.arn, [...BLOB_PREFIXES, FILES_PREFIX])]),
      },
    ],
  });

  const front = new aws.ec2.SecurityGroup("HostFront", {
    vpcId: network.vpc.id,
    description: "Load balancer: TLS comes in",
    ingress: [{ protocol: "tcp", fromPort: 443, toPort: 443, cidrBlocks: ["0.0.0.0/0"] }],
    egress: [{ protocol: "tcp", fromPort: PORT, toPort: PORT, cidrBlocks: [network.vpc.cidrBlock] }],
  });
  const behind = new aws.ec2.SecurityGroup("HostBehind", {
    vpcId: network.vpc.id,
    description: "Host: only the load balancer comes in, HTTPS goes out",
    ingress: [{ protocol: "tcp", fromPort: PORT, toPort: PORT, securityGroups: [front.id] }],
    egress: [{ protocol: "tcp", fromPort: 443, toPort: 443, cidrBlocks: ["0.0.0.0/0"] }],
  });
  const balancer = new aws.lb.LoadBalancer("Host", {
    name: nameOf("host"),
    loadBalancerType: "network",
    subnets: network.subnetIds,
    securityGroups: [front.id],
    enableCrossZoneLoadBalancing: true,
  });
  const targets = new aws.lb.TargetGroup("HostTargets", {
    name: nameOf("host"),
    vpcId: network.vpc.id,
    protocol: "TCP",
    port: PORT,
    targetType: "ip",
    // Calls end within the host's own grace.
    deregistrationDelay: 30,
    healthCheck: { protocol: "HTTP", path: "/healthz", port: String(PORT) },
  });
  const listener = new aws.lb.Listener("HostListener", {
    loadBalancerArn: balancer.arn,
    protocol: "TLS",
    port: 443,
    certificateArn,
    sslPolicy: "ELBSecurityPolicy-TLS13-1-2-2021-06",
    alpnPolicy: "HTTP2Preferred",
    tcpIdleTimeoutSeconds: IDLE_SECONDS,
    defaultActions: [{ type: "forward", targetGroupArn: targets.arn }],
  });

  const cluster = new aws.ecs.Cluster("HostCluster", { name: nameOf("host") });
  const task = new aws.ecs.TaskDefinition("HostTaskDefinition", {
    family: nameOf("host"),
    requiresCompatibilities: ["FARGATE"],
    networkMode: "awsvpc",
    cpu: String(VCPUS * 1024),
    memory: String(MEMORY_MIB),
    runtimePlatform: { cpuArchitecture: "X86_64", operatingSystemFamily: "LINUX" },
    executionRoleArn: executionRole.arn,
    taskRoleArn: taskRole.arn,
    containerDefinitions: $jsonStringify([
      {
        name: "host",
        image: digestOf(built.ref),
        essential: true,
        stopTimeout: 30,
        readonlyRootFilesystem: true,
        linuxParameters: { initProcessEnabled: true },
        portMappings: [{ containerPort: PORT, protocol: "tcp" }],
        // Calls that come here are not signed for AWS, so tokens say who calls.
        environment: $util
          .output(environment)
          .apply((variables) =>
            Object.entries({ ...variables, SORTIE_AUTH: "token", SORTIE_HOST_PORT: String(PORT) }).map(
              ([name, value]) => ({ name, value }),
            ),
          ),
        logConfiguration: {
          logDriver: "awslogs",
          options: { "awslogs-group": logGroup.name, "awslogs-region": region, "awslogs-stream-prefix": "host" },
        },
      },
    ]),
  });
  new aws.ecs.Service(
    "HostService",
    {
      name: nameOf("host"),
      cluster: cluster.arn,
      taskDefinition: task.arn,
      launchType: "FARGATE",
      desiredCount: 1,
      deploymentMinimumHealthyPercent: 100,
      deploymentMaximumPercent: 200,
      deploymentCircuitBreaker: { enable: true, rollback: true },
      networkConfiguration: { assignPublicIp: true, subnets: network.subnetIds, securityGroups: [behind.id] },
      loadBalancers: [{ targetGroupArn: targets.arn, containerName: "host", containerPort: PORT }],
    },
    { dependsOn: [listener] },
  );
  return balancer.dnsName;
}
