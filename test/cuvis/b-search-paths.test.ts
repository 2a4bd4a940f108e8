// Search paths: what is kept, what is rejected, and which file is found.
import { expect } from "vitest";
import { scenarios, sharedWorld } from "./harness.ts";

const scenario = scenarios(sharedWorld());

scenario(8, async ({ rpc }, world) => {
  const sessionId = (await rpc.createSession({})).sessionId;
  const searchPaths = [await world.folder("outputs/eight"), "./configs/trainrun", "./configs/pipeline"];
  const answer = await rpc.setSessionSearchPaths({ sessionId, searchPaths, append: false });
  expect(answer).toMatchObject({
    success: true,
    currentPaths: [world.path("outputs/eight"), world.path("configs/trainrun"), world.path("configs/pipeline")],
    rejectedPaths: [],
  });
});

scenario(9, async (client, world) => {
  const sessionId = await client.session();
  const set = (path: string, append: boolean) =>
    client.rpc.setSessionSearchPaths({ sessionId, searchPaths: [path], append });
  await set("./configs/trainrun", false);
  const added = await set(await world.folder("outputs/nine"), true);
  expect(added.currentPaths).toEqual([world.path("configs/trainrun"), world.path("outputs/nine")]);
  expect((await set(world.path("outputs/nine"), true)).currentPaths).toEqual(added.currentPaths);
});

scenario(10, async (client, world) => {
  const sessionId = await client.session();
  const file = await world.write("outputs/a-file", "text");
  const searchPaths = ["./nowhere", file, "/etc"];
  const appended = await client.rpc.setSessionSearchPaths({ sessionId, searchPaths, append: true });
  expect(appended).toMatchObject({ success: true, currentPaths: ["./configs"], rejectedPaths: searchPaths });
  const replaced = await client.rpc.setSessionSearchPaths({ sessionId, searchPaths, append: false });
  expect(replaced).toMatchObject({
    success: true,
    currentPaths: ["./configs", "./configs/pipeline"],
    rejectedPaths: searchPaths,
  });
});

const trainRun = (name: string) => `name: ${name}\ndata:\n  data_module: files\n`;

scenario(11, async (client, world) => {
  const sessionId = await client.session();
  await world.write("outputs/dir1/test.yaml", trainRun("from-dir1"));
  await world.write("outputs/dir2/test.yaml", trainRun("from-dir2"));
  const searchPaths = [world.path("outputs/dir1"), world.path("outputs/dir2")];
  await client.rpc.setSessionSearchPaths({ sessionId, searchPaths, append: false });
  expect(await client.resolve(sessionId, "trainrun", "test.yaml")).toMatchObject({ name: "from-dir1" });
});

scenario(12, async (client, world) => {
  const sessionId = await client.session();
  await world.write("outputs/twelve/run.yaml", `${trainRun("twelve")}  batch_size: 7\n`);
  await client.rpc.setSessionSearchPaths({ sessionId, searchPaths: [world.path("outputs/twelve")], append: false });
  for (const size of [1, 2, 3]) {
    const resolved = await client.resolve(sessionId, "trainrun", "run", `data.batch_size=${size}`);
    expect(resolved["data"]).toMatchObject({ batch_size: size });
  }
});

scenario(13, async (client, world) => {
  const sessionId = await client.session();
  const { currentPaths } = await client.rpc.setSessionSearchPaths({
    sessionId,
    searchPaths: [await world.folder("outputs/thirteen")],
  });
  expect(currentPaths).toEqual(["./configs", world.path("outputs/thirteen")]);
});
