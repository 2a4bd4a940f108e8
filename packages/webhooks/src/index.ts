// The public face of @sortie/webhooks.
export { createWebhookSender, type SenderOptions } from "./sender.ts";
