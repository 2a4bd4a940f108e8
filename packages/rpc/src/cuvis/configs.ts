// ResolveConfig, GetParameterSchema, ValidateConfig.
import { Code } from "@connectrpc/connect";
import { configFiles, isConfigType, parameterSchema, reportConfig, resolveConfig, unknownType } from "@sortie/pipeline";
import { openSession } from "@sortie/sessions";
import type { cuvis } from "@sortie/wire";
import type { Call } from "../cuopt/handlers.ts";
import type { CuvisContext } from "./context.ts";
import { CuvisError, notFound } from "./errors.ts";

export function createConfigHandlers(context: CuvisContext) {
  return {
    async resolveConfig(request: cuvis.ResolveConfigRequest, call: Call) {
      const { state } = await openSession(context, call.caller, request.sessionId);
      const { configType, path, overrides } = request;
      const resolved = await resolveConfig(
        { configType, path, overrides },
        { files: configFiles(context.filesOf(call.caller)), searchPaths: state.searchPaths, dialect: "auto" },
      );
      return { configBytes: new TextEncoder().encode(resolved.json) };
    },

    async getParameterSchema({ configType }: cuvis.GetParameterSchemaRequest) {
      if (!isConfigType(configType)) throw notFound(unknownType(configType).message);
      return { jsonSchema: parameterSchema(configType) };
    },

    async validateConfig({ configType, configBytes }: cuvis.ValidateConfigRequest) {
      if (!isConfigType(configType)) {
        throw new CuvisError(Code.Internal, `Failed to validate config: ${unknownType(configType).message}`);
      }
      const { valid, errors, warnings } = reportConfig(configType, configBytes, "auto");
      return { valid, errors: [...errors], warnings: [...warnings] };
    },
  };
}
