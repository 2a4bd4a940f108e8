// Which data modules a session may name, and why others are refused.
import { FILES_MODULE } from "@sortie/pipeline";
import type { SessionState } from "@sortie/sessions";
import { invalid } from "./errors.ts";
import { manifestsOf } from "./manifests.ts";

/** Reads measurement files through libraries of their vendor. */
const VENDORS = "cu3s";

/**
 * @param toRun it is about to be used, not only declared
 * @throws CuvisError INVALID_ARGUMENT with the modules there are
 */
export function checkDataModule(name: unknown, state: SessionState, toRun: boolean): void {
  if (name === FILES_MODULE) return;
  const provided = manifestsOf(state).flatMap(({ capabilities }) =>
    capabilities.flatMap(({ data_module_name }) => (data_module_name ? [data_module_name] : [])),
  );
  if (typeof name === "string" && provided.includes(name)) {
    if (!toRun) return;
    throw invalid(
      `Data module '${name}' is Python code of a plugin, which is never run here; available: ${FILES_MODULE}`,
    );
  }
  const why = name === VENDORS ? "needs the software kit of a vendor, which is not here" : "is unknown";
  throw invalid(`Data module '${String(name)}' ${why}; available: ${[FILES_MODULE, ...provided].join(", ")}`);
}
