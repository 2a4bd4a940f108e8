// `sortie serve`: the server in this process, until a signal stops it.
import { createApp, readSettings, runServer, SettingsError, settingOptions, settingsHelp } from "@sortie/server";

export const OPTIONS = settingOptions();

export async function serve(args: readonly string[]): Promise<number> {
  if (args.includes("--help") || args.includes("-h")) {
    process.stdout.write(`usage: sortie serve [OPTION ...]\n\n${settingsHelp()}`);
    return 0;
  }
  try {
    return await runServer(readSettings(args), { createApp });
  } catch (error) {
    if (!(error instanceof SettingsError)) throw error;
    process.stderr.write(`${error.message}\n`);
    return 1;
  }
}
