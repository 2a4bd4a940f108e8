// The container image of workers (and of the host): built from the repository's Dockerfile into a repository of the stage's
// own, or one that is in ECR already.
import { nameOf } from "./names.ts";
import type { Options } from "./options.ts";
import type { Input } from "./types.ts";

export interface WorkerImage {
  /** With its digest or tag. */
  readonly uri: Input<string>;
  /** ARN of the repository. */
  readonly repository: Input<string>;
}

/** Older ones go: those of running tasks are pulled already. A build may leave three, its index and a note of its making. */
const KEPT_IMAGES = 15;

export function createImage(options: Options): WorkerImage {
  if (options.image !== undefined) return { uri: options.image, repository: repositoryOf(options.image) };
  const repository = new aws.ecr.Repository("Image", {
    name: nameOf("worker"),
    imageScanningConfiguration: { scanOnPush: true },
    imageTagMutability: "MUTABLE",
    encryptionConfigurations: [{ encryptionType: "AES256" }],
    // Images can be built again.
    forceDelete: true,
  });
  new aws.ecr.LifecyclePolicy("ImageLifecycle", {
    repository: repository.name,
    policy: JSON.stringify({
      rules: [
        {
          rulePriority: 1,
          selection: { tagStatus: "any", countType: "imageCountMoreThan", countNumber: KEPT_IMAGES },
          action: { type: "expire" },
        },
      ],
    }),
  });
  const login = aws.ecr.getAuthorizationTokenOutput({ registryId: repository.registryId });
  const built = new dockerbuild.Image("ImageBuild", {
    context: { location: $cli.paths.root },
    dockerfile: { location: `${$cli.paths.root}/Dockerfile` },
    platforms: ["linux/amd64"],
    tags: [$interpolate`${repository.repositoryUrl}:latest`],
    push: true,
    registries: [{ address: login.proxyEndpoint, username: login.userName, password: $util.secret(login.password) }],
  });
  return { uri: digestOf(built.ref), repository: repository.arn };
}

/** Without its tag: ECS takes a tag or a digest. */
export const digestOf = (ref: Input<string>) => $util.output(ref).apply((known) => known?.replace(/:[^:@/]+@/, "@"));

/** @param uri `ACCOUNT.dkr.ecr.REGION.amazonaws.com/NAME:TAG`, as the options have checked it */
export function repositoryOf(uri: string): string {
  const [, account, region, china, name] =
    /^(\d+)\.dkr\.ecr\.([a-z0-9-]+)\.amazonaws\.com(\.cn)?\/([^:@]+)[:@]/.exec(uri) ?? [];
  const partition = china === undefined ? (region?.startsWith("us-gov-") ? "aws-us-gov" : "aws") : "aws-cn";
  return `arn:${partition}:ecr:${region}:${account}:repository/${name}`;
}
