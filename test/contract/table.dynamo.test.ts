// The DynamoDB table keeps the promises of the port, through two clients on one table.

import * as aws from "@sortie/platform-aws";
import { testTables } from "../aws/dynamo.ts";
import { identity } from "../aws/environment.ts";
import { describeTable } from "./table.suite.ts";
import { describeTableModel } from "./table-model.suite.ts";

const openTestTable = testTables();

const open = async () => {
  const options = await openTestTable();
  const opened = () => new aws.DynamoTable({ ...options, ...identity });
  return { table: opened(), other: opened() };
};

describeTable("DynamoDB, two clients", open);
describeTableModel("DynamoDB, two clients", open, 40);
