// Calls a function and waits for its answer.
import { InvokeCommand, LambdaClient } from "@aws-sdk/client-lambda";
import { type AwsOptions, clientSettings } from "./client-settings.ts";

export interface FunctionCaller {
  /**
   * @param payload JSON
   * @returns the function's answer, as JSON
   * @throws Error with what the function says of itself if it broke
   */
  call(name: string, payload: string, signal: AbortSignal | undefined): Promise<string>;
}

/** An inference may take minutes; who waits ends it sooner. */
const REQUEST_MS = 300_000;

/** @param client used instead of one of its own */
export function functionCaller(options: AwsOptions = {}, client?: LambdaClient): FunctionCaller & Disposable {
  const used = client ?? new LambdaClient(clientSettings(options, REQUEST_MS));
  return {
    async call(name, payload, signal) {
      const command = new InvokeCommand({
        FunctionName: name,
        InvocationType: "RequestResponse",
        Payload: Buffer.from(payload),
      });
      const { FunctionError, Payload } = await used.send(command, signal ? { abortSignal: signal } : {});
      const answer = Payload?.transformToString() ?? "";
      if (FunctionError !== undefined) throw new Error(`function ${name} broke (${FunctionError}): ${answer}`);
      return answer;
    },
    [Symbol.dispose]: () => {
      if (!client) used.destroy();
    },
  };
}
