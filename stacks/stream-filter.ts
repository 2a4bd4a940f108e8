// Which records of the table's stream start the dispatch function: those of job rows that want something of it. A heartbeat
// leaves a row "processing" with an empty outbox, so it matches nothing and costs nothing. Pure.
//
// A record that matches twice, late or not at all does no harm: dispatch reads the row again, and the sweep finds what was
// lost.
import { ATTRIBUTE_PREFIX, SET_PREFIX } from "../packages/platform-aws/src/dynamo-schema.ts";

const JOB_ROW = { eventName: ["INSERT", "MODIFY"], dynamodb: { Keys: { sk: { S: ["job"] } } } };
const imageWith = (attributes: object) => ({ ...JOB_ROW, dynamodb: { ...JOB_ROW.dynamodb, NewImage: attributes } });

/** Any of them; https://docs.aws.amazon.com/lambda/latest/dg/with-ddb-filtering.html */
export const STREAM_FILTERS: readonly object[] = [
  // Waits for a worker and was not dispatched since it was queued. Later dispatches are the sweep's.
  imageWith({
    [`${ATTRIBUTE_PREFIX}state`]: { S: ["queued"] },
    [`${ATTRIBUTE_PREFIX}dispatchAt`]: { N: [{ exists: false }] },
  }),
  // Has something to tell: every change of state does, cancelling included.
  imageWith({ [`${SET_PREFIX}outbox`]: { SS: [{ exists: true }] } }),
  // Was deleted, maybe under a worker.
  imageWith({ [`${ATTRIBUTE_PREFIX}deleted`]: { BOOL: [true] } }),
];
