// What the pool and its worker processes say to each other over their channel. Plain data.
//
// A worker reports `ready` once. A `run` is answered by one `done` when the worker holds nothing of the job any more,
// however that came about; `claimed` before it says that the job is the worker's. `stop` asks for the job to be ended
// soon. When the channel closes, or at SIGTERM, or at `exit`, a worker ends its job (SIGTERM: stops it) and leaves.

export type PoolCommand =
  | {
      readonly type: "run";
      readonly jobId: string;
      readonly tenant: string;
      /** The attempt that the worker is thought to make; its claim decides. */
      readonly attempt: number;
    }
  | { readonly type: "stop"; readonly jobId: string }
  | { readonly type: "exit" };

export type PoolReport =
  /** `worker` is what `identityOf` says of the process. */
  | { readonly type: "ready"; readonly worker: string }
  | { readonly type: "claimed"; readonly jobId: string }
  | { readonly type: "done"; readonly jobId: string };
