import type { Call } from "../call.js";
import type { Installation } from "../installation.js";

/** Execution providers are listed from 0.7 on. */
const EP_LINES_SINCE = 7;

export async function start(call: Call, installation: Installation): Promise<number> {
  const started = await installation.start();
  call.holdPipes(installation.switches.startHoldsPipesMs);
  switch (started.kind) {
    case "already":
      call.print(`🟢 Service is already running on ${started.url}/.`);
      return 0;
    case "started":
      call.print(`🟢 Service is Started on ${started.url}/, PID ${installation.pid}!`);
      return 0;
    case "port_in_use":
      // The command reports a success; the service fails and writes to the inherited stderr (#146).
      call.print(`🟢 Service is Started on ${started.url}/, PID ${installation.pid}!`);
      call.complain(
        `Unhandled exception. System.IO.IOException: Failed to bind to address ${started.url}: address already in use.`,
        " ---> Microsoft.AspNetCore.Connections.AddressInUseException: Address already in use",
        " ---> System.Net.Sockets.SocketException (48): Address already in use",
        "   at System.Net.Sockets.Socket.Bind(EndPoint) + 0xc8",
      );
      return 0;
    case "failed":
      call.print("Exception: 🔴 Failed to start service!");
      return 1;
  }
}

export async function stop(call: Call, installation: Installation): Promise<number> {
  await installation.stop();
  call.print("🔴 Service is stopped.");
  return 0;
}

export async function restart(call: Call, installation: Installation): Promise<number> {
  call.print("Restarting service...");
  await stop(call, installation);
  return await start(call, installation);
}

export function status(call: Call, installation: Installation): number {
  const report = installation.report();
  if (report.kind === "unreachable") return unreachable(call);
  if (report.kind !== "ready") {
    call.print(
      "🔴 Model management service is not running!",
      "To start the service, run the following command: foundry service start",
    );
    return 0;
  }
  call.print(`🟢 Model management service is running on ${report.url}/openai/status`);
  if (Number(installation.version.split(".")[1]) >= EP_LINES_SINCE) {
    call.print(
      "EP autoregistration status: Successfully downloaded and registered the following EPs: OpenVINOExecutionProvider.",
      "Valid EPs: CPUExecutionProvider, WebGpuExecutionProvider, OpenVINOExecutionProvider",
    );
  }
  return 0;
}

export async function set(call: Call, installation: Installation): Promise<number> {
  if (!call.has("port")) {
    call.print("No settings changed");
    call.print(JSON.stringify(await settings(installation), null, 2));
    return 0;
  }
  installation.port = call.number("port") || null;
  call.print("Saving new settings");
  return await restart(call, installation);
}

async function settings(installation: Installation): Promise<object> {
  return {
    defaultLogLevel: 2,
    serviceSettings: {
      host: "127.0.0.1",
      port: installation.port ?? 0,
      cacheDirectoryPath: (await installation.simulator()).modelCachePath,
      // The scheme of the URL.
      schema: "http",
      pipeName: "inference_agent",
      defaultSecondsForModelTTL: 600,
      initialConnectionTimeoutInSeconds: 6,
    },
  };
}

export async function cacheLocation(call: Call, installation: Installation): Promise<number> {
  call.print(`💾 Cache directory path: ${(await installation.simulator()).modelCachePath}`);
  return 0;
}

export function unreachable(call: Call): number {
  call.print(
    "Exception: Request to local service failed. Uri:http://127.0.0.1:0/foundry/list",
    "Please check service status with 'foundry service status'.",
  );
  return 1;
}
