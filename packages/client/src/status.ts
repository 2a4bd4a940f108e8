// Where a job stands, in words.
import { type CancelResponse, type DeleteResponse, JobStatus, ResponseStatus } from "@sortie/wire";

export type JobStateWord = "queued" | "processing" | "completed" | "failed" | "cancelled" | "not-found";

export interface StatusReport {
  /** A number that this client does not know reads as "not-found". */
  readonly state: JobStateWord;
  /** What the server says of it; may be empty. */
  readonly message: string;
  /** 0 to 1; 0 where the server does not tell. */
  readonly progress: number;
  /** Sum of the bytes of the result's arrays; 0 unless the job is completed. */
  readonly resultSizeBytes: number;
  /** Of the server; 0 where it does not tell. */
  readonly maxMessageBytes: number;
}

export interface CancelReport {
  /** False if the job had ended by itself before, or is unknown. */
  readonly cancelled: boolean;
  readonly state: JobStateWord;
  readonly message: string;
}

export interface DeleteReport {
  /** False if the job is unknown. */
  readonly deleted: boolean;
  readonly message: string;
}

const WORDS: Readonly<Partial<Record<number, JobStateWord>>> = {
  [JobStatus.QUEUED]: "queued",
  [JobStatus.PROCESSING]: "processing",
  [JobStatus.COMPLETED]: "completed",
  [JobStatus.FAILED]: "failed",
  [JobStatus.CANCELLED]: "cancelled",
};

const stateWord = (status: JobStatus): JobStateWord => WORDS[status] ?? "not-found";

/** The job goes on. */
export const isOpen = ({ state }: StatusReport): boolean => state === "queued" || state === "processing";

/** What CheckStatus and WaitForCompletion answer. */
export function statusReport(answer: {
  readonly jobStatus: JobStatus;
  readonly message: string;
  readonly resultSizeBytes: bigint;
  readonly progress?: number;
  readonly maxMessageBytes?: bigint;
}): StatusReport {
  return {
    state: stateWord(answer.jobStatus),
    message: answer.message,
    progress: answer.progress ?? 0,
    resultSizeBytes: Number(answer.resultSizeBytes),
    maxMessageBytes: Number(answer.maxMessageBytes ?? 0n),
  };
}

export const cancelReport = ({ status, jobStatus, message }: CancelResponse): CancelReport => ({
  cancelled: status === ResponseStatus.SUCCESS,
  state: stateWord(jobStatus),
  message,
});

export const deleteReport = ({ status, message }: DeleteResponse): DeleteReport => ({
  deleted: status === ResponseStatus.SUCCESS,
  message,
});
