// A DynamoDB table for the tests: on dynalite in this process, or at the endpoint from outside. Deleted in the end.
import type { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import * as dynamodb from "@aws-sdk/client-dynamodb";
import * as aws from "@sortie/platform-aws";
import { afterAll } from "vitest";
import { startDynamo } from "./emulators.ts";
import { freshName, identity, outsideEndpoint } from "./environment.ts";

const { CreateTableCommand, DeleteTableCommand, waitUntilTableExists } = dynamodb;

export interface TestTable {
  readonly table: string;
  readonly endpoint: string;
  /** A client of its own, destroyed in the end. */
  newClient(maxAttempts?: number): DynamoDBClient;
}

/** Opens tables that are gone, with their emulator, when the tests of this file are done. */
export function testTables(): () => Promise<TestTable> {
  const closing: (() => Promise<unknown>)[] = [];
  afterAll(async () => {
    for (const close of closing.reverse()) await close();
  });
  return async () => {
    let endpoint = outsideEndpoint;
    if (endpoint === undefined) {
      const emulator = await startDynamo();
      endpoint = emulator.endpoint;
      closing.push(() => emulator.close());
    }
    const newClient = (maxAttempts = 5) => {
      const client = new dynamodb.DynamoDBClient({ ...identity, endpoint, maxAttempts });
      closing.push(async () => client.destroy());
      return client;
    };
    const client = newClient();
    const table = freshName("table");
    await client.send(new CreateTableCommand(aws.tableDefinition(table)));
    closing.push(() => client.send(new DeleteTableCommand({ TableName: table })));
    await waitUntilTableExists({ client, maxWaitTime: 60, minDelay: 0.05, maxDelay: 1 }, { TableName: table });
    return { table, endpoint, newClient };
  };
}
