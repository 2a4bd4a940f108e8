// A program for the tests: the server as `sortie serve` runs it, with the small application.
import { runServer } from "../run-server.ts";
import { readSettings, SettingsError } from "../settings.ts";
import { createSmallApp } from "./small-app.ts";

try {
  process.exitCode = await runServer(readSettings(process.argv.slice(2)), {
    async createApp(settings, logger) {
      if (settings.dataDirectory.endsWith("broken")) throw new Error("the data folder is broken");
      const app = createSmallApp();
      app.beforeChunkAnswer = () => new Promise(() => {}); // A call that nothing ends.
      return {
        routes: { binary: app.register, json: app.register },
        async stop() {
          logger.info("the application has stopped");
        },
      };
    },
  });
} catch (error) {
  if (!(error instanceof SettingsError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}
