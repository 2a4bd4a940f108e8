// CreateSession, SetSessionSearchPaths, CloseSession.

import { cancelJob, closeSession, createSession } from "@sortie/core";
import { configFiles, INITIAL_SEARCH_PATHS, updateSearchPaths } from "@sortie/pipeline";
import { editSession, openSession, type SessionState, toJson } from "@sortie/sessions";
import type { cuvis } from "@sortie/wire";
import type { Call } from "../cuopt/handlers.ts";
import type { CuvisContext } from "./context.ts";

export const EMPTY_STATE: SessionState = { searchPaths: INITIAL_SEARCH_PATHS, plugins: [] };

export function createSessionHandlers(context: CuvisContext) {
  return {
    async createSession(_: unknown, call: Call) {
      const { id } = await createSession(context, call.caller, toJson(EMPTY_STATE));
      return { sessionId: id };
    },

    async setSessionSearchPaths(request: cuvis.SetSessionSearchPathsRequest, call: Call) {
      const files = configFiles(context.filesOf(call.caller));
      const { value } = await editSession(context, call.caller, request.sessionId, async ({ state }) => {
        const update = await updateSearchPaths(state.searchPaths, request.searchPaths, request.append ?? true, files);
        return { state: { ...state, searchPaths: update.paths }, value: update };
      });
      return { success: true, currentPaths: [...value.paths], rejectedPaths: [...value.rejected] };
    },

    async closeSession(request: cuvis.CloseSessionRequest, call: Call) {
      const { sessionId } = request;
      const { state } = await openSession(context, call.caller, sessionId);
      await closeSession(context, call.caller, sessionId);
      context.host.forget(state.pipeline);
      // Nobody will ask for what it would make. It may have ended long ago.
      if (state.trainingJob !== undefined) await cancelJob(context, call.caller, state.trainingJob);
      return { success: true };
    },
  };
}
