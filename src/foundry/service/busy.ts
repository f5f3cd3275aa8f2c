import { FoundryError } from "../../lib/index.js";
import type { Dialect } from "../dialects/index.js";

/** Whether an error is how a load of somebody else looks from outside. */
export const isBlockedByLoad = (dialect: Dialect, thrown: unknown): boolean =>
  dialect.can.listsWaitForLoads &&
  thrown instanceof FoundryError &&
  thrown.code === "TIMEOUT" &&
  thrown.phase !== "connect";

/** The error of a question that such a load keeps waiting too long. */
export const serviceBusyError = (cause: unknown): FoundryError =>
  new FoundryError("SERVICE_BUSY", "The service is busy, probably loading a model.", {
    action: "Try again when it is loaded; health_check tells.",
    retryable: true,
    cause,
  });
