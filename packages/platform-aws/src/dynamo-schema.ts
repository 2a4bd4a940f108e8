// The shape of the one DynamoDB table: its names, keys and indexes. Tests and stacks build it from here.
import type { CreateTableCommandInput, UpdateTimeToLiveCommandInput } from "@aws-sdk/client-dynamodb";
import type { IndexName } from "@sortie/core";

/** Names of item attributes that are ours. Those of rows carry a prefix, so that the two never meet. */
export const REVISION = "revision";
/** Seconds since 1970 after which DynamoDB may drop the item, days late. */
export const EXPIRY = "expiry";
/** Marks of the last writes, newest first: a write that is sent twice finds its own mark here. */
export const MARKS = ["mark1", "mark2", "mark3", "mark4"] as const;
export const ATTRIBUTE_PREFIX = "a#";
export const SET_PREFIX = "s#";

/** Each sparse index has a key of its own: an item without these attributes is not in it. */
export const INDEX_KEYS: Readonly<Record<IndexName, { readonly pk: string; readonly sk: string }>> = {
  list: { pk: "list_pk", sk: "list_sk" },
  due: { pk: "due_pk", sk: "due_sk" },
};
export const INDEX_NAMES = Object.keys(INDEX_KEYS) as IndexName[];

/**
 * What CreateTable needs: on demand, the key (pk, sk), and the two sparse indexes. They project keys only, so no write
 * that leaves a row's place in them alone costs anything there; whoever finds a row by index reads it.
 */
export function tableDefinition(name: string): CreateTableCommandInput {
  const text = (attribute: string) => ({ AttributeName: attribute, AttributeType: "S" as const });
  const schema = ({ pk, sk }: { readonly pk: string; readonly sk: string }) => [
    { AttributeName: pk, KeyType: "HASH" as const },
    { AttributeName: sk, KeyType: "RANGE" as const },
  ];
  return {
    TableName: name,
    BillingMode: "PAY_PER_REQUEST",
    AttributeDefinitions: ["pk", "sk", ...Object.values(INDEX_KEYS).flatMap(({ pk, sk }) => [pk, sk])].map(text),
    KeySchema: schema({ pk: "pk", sk: "sk" }),
    GlobalSecondaryIndexes: Object.entries(INDEX_KEYS).map(([IndexName, keys]) => ({
      IndexName,
      KeySchema: schema(keys),
      Projection: { ProjectionType: "KEYS_ONLY" as const },
    })),
  };
}

/** What UpdateTimeToLive needs: the backstop behind the sweep. */
export function timeToLive(name: string): UpdateTimeToLiveCommandInput {
  return { TableName: name, TimeToLiveSpecification: { AttributeName: EXPIRY, Enabled: true } };
}
