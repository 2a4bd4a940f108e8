// What a session of the pipeline service holds, as plain data; tensors are in blobs under the session.
import {
  type BlobRef,
  type Caller,
  changeSession,
  requireSession,
  type Session,
  type SessionChange,
  type Value,
  type WorkerContext,
} from "@sortie/core";

export type Json = { readonly [key: string]: Value };
type Ports = Pick<WorkerContext, "table" | "blobs" | "clock" | "ids" | "limits">;

/** A loaded pipeline: its configuration, and the tensors of its nodes. */
export interface LoadedPipeline {
  readonly config: Json;
  /** A weights file of all nodes; absent while every node is as it was built. */
  readonly weights?: BlobRef | undefined;
  /** The classes that it uses beside the built-in ones. */
  readonly models?: readonly OnnxClass[] | undefined;
  /** Full names of the nodes that count as fitted. */
  readonly fitted: readonly string[];
  /** Changes with every change of configuration or weights: caches are keyed by it. */
  readonly generation: string;
}

/** A node class that a plugin brings as an ONNX model. */
export interface OnnxClass {
  readonly className: string;
  readonly summary: string;
  readonly model: BlobRef;
  /** Ports as packages/pipeline declares them. */
  readonly inputs: readonly Json[];
  readonly outputs: readonly Json[];
}

export interface Profiling {
  readonly enabled: boolean;
  readonly skipFirst: number;
  /** One entry per (stage, node) in order of first recording. */
  readonly entries: readonly Json[];
}

export interface SessionState {
  readonly searchPaths: readonly string[];
  /** Manifests, in the order of registration. */
  readonly plugins: readonly Json[];
  /** A pipeline was loaded once: later ones are not checked against the plugins again. */
  readonly started?: boolean | undefined;
  readonly pipeline?: LoadedPipeline | undefined;
  readonly data?: Json | undefined;
  readonly training?: Json | undefined;
  readonly trainRun?: Json | undefined;
  /** The job of the latest training. */
  readonly trainingJob?: string | undefined;
  readonly profiling?: Profiling | undefined;
}

export interface CuvisSession extends Omit<Session, "state"> {
  readonly state: SessionState;
}

const typed = (session: Session): CuvisSession => ({
  ...session,
  state: session.state as unknown as SessionState,
});
/** The plain data of a typed state. */
export const toJson = (state: SessionState): Json => JSON.parse(JSON.stringify(state)) as Json;

/** @throws DomainError "session-unknown" */
export async function openSession(ports: Ports, caller: Caller, id: string): Promise<CuvisSession> {
  return typed(await requireSession(ports, caller, id));
}

/** Changes a session; see `changeSession` of core. */
export async function editSession<T>(
  ports: Ports,
  caller: Caller,
  id: string,
  edit: (
    session: CuvisSession,
  ) =>
    | (Omit<SessionChange<T>, "state"> & { readonly state: SessionState })
    | Promise<Omit<SessionChange<T>, "state"> & { readonly state: SessionState }>,
): Promise<{ readonly session: CuvisSession; readonly value: T }> {
  const { session, value } = await changeSession<T>(ports, caller, id, async (current) => {
    const change = await edit(typed(current));
    return { ...change, state: toJson(change.state) };
  });
  return { session: typed(session), value };
}
