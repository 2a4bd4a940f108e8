// The settings as people read them.
import { expect, it } from "vitest";
import { SETTING_KEYS, SETTINGS } from "./settings.ts";
import { settingsHelp, settingsReference } from "./settings-text.ts";

it("the reference page says what the table says", async () => {
  await expect(settingsReference()).toMatchFileSnapshot("../../../docs/server-settings.md");
});

it("the help names every flag and fits a terminal", () => {
  const help = settingsHelp();
  for (const key of SETTING_KEYS) expect(help).toContain(`--${SETTINGS[key].flag}`);
  for (const line of help.split("\n")) expect(line.length).toBeLessThanOrEqual(100);
});
