import type { LoadRun } from "../../../jobs/index.js";
import type { ToolContext } from "../../tool.js";

/** What becomes of a load whose call the host has cancelled. */
export function leaveLoad(
  load: LoadRun,
  { client: { loads }, cancellation, afterGrace }: ToolContext,
): void {
  const meant = cancellation();
  if (meant === "stop") loads.stop(load);
  if (meant !== "unclear") return;
  const { waits } = load;
  afterGrace(() => {
    if (load.waits === waits) loads.stop(load);
  });
}
