// The stages and options that are looked at, each synthesised once.
import { type Resource, type Synthesis, synthesise } from "./synthesise.ts";

const CERTIFICATE = "arn:aws:acm:eu-central-1:123456789012:certificate/11111111-2222-3333-4444-555555555555";

interface Variant {
  readonly stage: string;
  readonly options: Readonly<Record<string, string>>;
}

export const VARIANTS = {
  dev: { stage: "dev", options: {} },
  production: { stage: "production", options: {} },
  gpu: { stage: "dev", options: { SORTIE_STACK_GPU: "g6.xlarge", SORTIE_STACK_GPU_VCPUS: "8" } },
  spot: { stage: "dev", options: { SORTIE_STACK_SPOT: "1" } },
  host: { stage: "dev", options: { SORTIE_STACK_HOST_CERTIFICATE: CERTIFICATE } },
  alarms: { stage: "dev", options: { SORTIE_STACK_ALARMS: "1", SORTIE_STACK_ALARM_EMAIL: "ops@example.org" } },
  iam: { stage: "dev", options: { SORTIE_STACK_AUTH: "iam" } },
  cors: { stage: "dev", options: { SORTIE_STACK_CORS_ORIGINS: "https://app.example.org" } },
  image: {
    stage: "dev",
    options: {
      SORTIE_STACK_IMAGE: "123456789012.dkr.ecr.eu-west-1.amazonaws.com/team/worker:1.2.3",
      SORTIE_LIMIT_TTL: "48",
    },
  },
  everything: {
    stage: "production",
    options: {
      SORTIE_STACK_GPU: "g5.xlarge",
      SORTIE_STACK_SPOT: "1",
      SORTIE_STACK_HOST_CERTIFICATE: CERTIFICATE,
      SORTIE_STACK_ALARM_EMAIL: "ops@example.org",
      SORTIE_STACK_CORS_ORIGINS: "https://app.example.org",
    },
  },
} as const satisfies Record<string, Variant>;
export type VariantName = keyof typeof VARIANTS;

const made = new Map<VariantName, Promise<Synthesis>>();

export function variant(name: VariantName): Promise<Synthesis> {
  let synthesis = made.get(name);
  if (!synthesis) {
    const { stage, options } = VARIANTS[name];
    synthesis = synthesise(stage, options);
    made.set(name, synthesis);
  }
  return synthesis;
}

/** The one resource of this name, with its inputs. @param type as `aws:…`, or its last word: `JobQueue` */
export function one({ resources }: Synthesis, type: string, name: string): Resource["inputs"] {
  const found = resources.filter((each) => each.name === name && isOf(each, type));
  if (found.length !== 1) throw new Error(`there are ${found.length} resources ${type} ${name}; expected is one`);
  return found[0]!.inputs;
}

export const all = ({ resources }: Synthesis, type: string): Resource[] => resources.filter((each) => isOf(each, type));

const isOf = ({ type }: Resource, wanted: string): boolean => type === wanted || type.split(":").at(-1) === wanted;

/** One statement of a policy as the program gives it to AWS's document. */
export interface Statement {
  readonly effect?: string;
  readonly actions: readonly string[];
  readonly resources: readonly string[];
  readonly principals?: readonly { readonly type: string; readonly identifiers: readonly string[] }[];
  readonly conditions?: readonly {
    readonly test: string;
    readonly variable: string;
    readonly values: readonly string[];
  }[];
}

export const statementsOf = (policy: string): Statement[] => JSON.parse(policy).statements;

export interface Role {
  readonly name: string;
  readonly statements: readonly Statement[];
  readonly trust: readonly Statement[];
  readonly managed: readonly string[];
}

export function rolesOf(synthesis: Synthesis): Role[] {
  return all(synthesis, "aws:iam/role:Role").map(({ name, inputs }) => ({
    name,
    statements: (inputs["inlinePolicies"] ?? []).flatMap(({ policy }: { policy: string }) => statementsOf(policy)),
    trust: statementsOf(inputs["assumeRolePolicy"]),
    managed: inputs["managedPolicyArns"] ?? [],
  }));
}
