// The public face of @sortie/server: the host, the settings, and the server as a program.

export { nearest } from "@sortie/core";
export type { Health, HostRoutes } from "@sortie/rpc";
export { createApp } from "./app.ts";
export { type EmbeddedOptions, type EmbeddedServer, openEmbedded } from "./embedded.ts";
export { type Host, type HostOptions, ListenError, startHost } from "./host.ts";
export type { AppGauge, FinishedCall, ReadGauges } from "./metrics.ts";
export { type App, type CreateApp, type RunOptions, runServer } from "./run-server.ts";
export { isLoopback, readSettings, type Settings, SettingsError, settingOptions } from "./settings.ts";
export { settingsHelp } from "./settings-text.ts";
export { type NewToken, openTokenStore, type TokenInfo, type TokenStore } from "./token-store.ts";
export { tenantWebhookSecret } from "./webhook-secrets.ts";
