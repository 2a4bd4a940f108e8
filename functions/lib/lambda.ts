// What Lambda gives to a handler, as far as it is used here. Types only, but for the way to Lambda's own global.

/** Of the second argument of a handler. */
export interface Invocation {
  /** The same again when Lambda repeats an asynchronous call. */
  readonly awsRequestId: string;
  getRemainingTimeInMillis(): number;
}

/** The head of an answer of a function URL. */
export interface ResponseHead {
  readonly statusCode: number;
  readonly headers: Readonly<Record<string, string>>;
}

/** The part of Lambda's response stream that is used; a Writable of Node has it. */
export interface ResponseStream {
  write(chunk: Uint8Array): boolean;
  end(): unknown;
  destroy(error?: Error): unknown;
  once(event: "drain" | "close" | "error", listener: (...args: unknown[]) => void): unknown;
  off(event: "drain" | "close" | "error", listener: (...args: unknown[]) => void): unknown;
  readonly destroyed: boolean;
}

/** https://docs.aws.amazon.com/lambda/latest/dg/config-rs-write-functions.html */
interface AwsLambda {
  streamifyResponse<E>(
    handle: (event: E, stream: ResponseStream, invocation: Invocation) => Promise<void>,
  ): (event: E, invocation: Invocation) => Promise<unknown>;
  readonly HttpResponseStream: { from(stream: ResponseStream, head: ResponseHead): ResponseStream };
}

/** There in Lambda's Node runtime only. */
export const awsLambda = (): AwsLambda => (globalThis as unknown as { awslambda: AwsLambda }).awslambda;

/** A request to a function URL, payload version 2.0. https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html */
export interface FunctionUrlEvent {
  readonly rawPath: string;
  readonly rawQueryString: string;
  /** Names in lower case; repeated headers joined by commas. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body?: string | undefined;
  readonly isBase64Encoded: boolean;
  readonly requestContext: {
    readonly domainName: string;
    readonly http: { readonly method: string };
    /** Who signed the request, where the URL asks for that. */
    readonly authorizer?: { readonly iam?: { readonly userArn?: string | undefined } | undefined } | undefined;
  };
}

/** A batch of changes of the table. https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html */
export interface TableStreamEvent {
  readonly Records: readonly {
    readonly dynamodb?:
      | {
          readonly Keys?: Readonly<Record<string, { readonly S?: string | undefined }>> | undefined;
          readonly SequenceNumber?: string | undefined;
        }
      | undefined;
  }[];
}

/** Records from the first of these on are delivered again. */
export interface PartialBatchFailure {
  readonly batchItemFailures: readonly { readonly itemIdentifier: string }[];
}

/** An event of EventBridge. */
export interface BusEvent {
  readonly "detail-type": string;
  readonly detail: unknown;
}
