/// <reference path="./.sst/platform/config.d.ts" />
// What `npx sst deploy` reads: the app, its stages, and the stacks. docs/deploy.md says how to use it.

export default $config({
  app(input) {
    const production = input.stage === "production";
    return {
      name: "sortie",
      version: "4.17.1",
      home: "aws",
      // Production keeps its data and cannot be removed by a slip; other stages leave nothing behind.
      removal: production ? "retain" : "remove",
      protect: production,
      providers: {
        aws: {
          version: "7.20.0",
          defaultTags: { tags: { "sortie:app": "sortie", "sortie:stage": input.stage } },
        },
        "docker-build": "0.0.14",
      },
    };
  },
  async run() {
    const { deploy } = await import("./stacks/main.ts");
    return deploy();
  },
});
