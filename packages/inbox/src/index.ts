// The public face of @sortie/inbox: model files that become jobs, and the answers beside them.
export { FolderInbox, type FolderInboxOptions } from "./folder.ts";
export { type InboxName, inboxName, outputsOf } from "./names.ts";
export { writeResults } from "./results.ts";
export { readSettingsFile } from "./settings-file.ts";
export { solutionFromWire } from "./solution.ts";
export type { InboxStore } from "./store.ts";
export { type InboxFile, MAX_MODEL_BYTES, submitFile, type Taken, writeRefusal } from "./submit.ts";
