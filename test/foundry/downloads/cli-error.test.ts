import { describe, expect, it } from "vitest";
import { cliErrorOf } from "../../../src/foundry/downloads/download-output.js";

describe("the error message of the command line", () => {
  it.each([
    [
      "#325",
      `Downloading Phi-3.5-mini-instruct-cuda-gpu:1...
[14:20:52 ERR] Failed to download model Phi-3.5-mini-instruct-cuda-gpu:1, error The SSL connection could not be established, see inner exception.
Failed: Downloading Phi-3.5-mini-instruct-cuda-gpu:1
Exception: The SSL connection could not be established, see inner exception.
[14:20:52 ERR] LogException
Microsoft.AI.Foundry.Local.Common.FLException: The SSL connection could not be established, see inner exception.
   at Microsoft.AI.Foundry.Local.Common.ModelManagement.<DownloadModelAsync>d__9.MoveNext() + 0x2304
--- End of stack trace from previous location ---`,
      { reason: "network", clause: "The SSL connection could not be established" },
    ],
    [
      "#1024",
      `■ Downloading model (phi-3.5-mini-instruct-qnn-npu:3, 2.0 GB)

phi-3.5-mini-instruct-qnn-npu:3 ━━━━━━━━━━━━   0% 0.0/2.0 GB ?/s --:--:-- ⠏

● error: IPC error 'op_handler_failed': Error downloading model phi-3.5-mini-instruct-qnn-npu:3: Error:
Microsoft.Neutron.Downloader.RegionFallbackException: Registry request failed across 8 region(s):
centralindia(timeout), southindia(timeout), jioindiawest(timeout).
---> System.Threading.Tasks.TaskCanceledException: A task was canceled.
   at System.Threading.Tasks.TaskCompletionSourceWithCancellation.<WaitWithCancellationAsync>d__1.MoveNext() + 0x100`,
      { reason: "network", clause: "Registry request failed across 8 region(s)" },
    ],
    [
      "an error whose reason is on its second line",
      `● error: IPC error 'op_handler_failed': Error downloading model qwen3-8b-generic-gpu:2: Error:
System.UnauthorizedAccessException: Access to the path 'D:\\models\\Microsoft' is denied.
   at System.IO.FileSystem.CreateDirectory(String, Byte[]) + 0x100`,
      { reason: "unknown", clause: "Access to the path 'Microsoft' is denied" },
    ],
    [
      "#20",
      `[##############                      ] 40.15% [Time remaining < 8m]     7.8 MB/sFailed: Downloading deepseek-r1-distill-qwen-7b-cpu-int4
Exception: Retry failed after 6 tries. Retry settings can be adjusted in ClientOptions.Retry. (No such host is known. (x.blob.core.windows.net:443))`,
      { reason: "network", clause: "Retry failed after 6 tries" },
    ],
    [
      "a connection that was cut",
      "Exception: Unable to read data from the transport connection: An existing connection was forcibly closed by the remote host..",
      {
        reason: "network",
        clause:
          "Unable to read data from the transport connection: An existing connection was forcibly closed by the remote host",
      },
    ],
    [
      "a full disk",
      "Exception: There is not enough space on the disk. : 'C:\\Users\\Some One\\.foundry\\cache\\models\\x\\model.onnx.data'",
      { reason: "disk_full", clause: "There is not enough space on the disk" },
    ],
    [
      "a disk that is full elsewhere",
      "● error: No space left on device : '/home/someone/.foundry/cache/models/x/model.onnx.data'",
      { reason: "disk_full", clause: "No space left on device : 'model.onnx.data'" },
    ],
    [
      "a model that it does not know",
      "● error: Model 'nonsense' was not found in catalog.\nHint: Run 'foundry model list' to see all.",
      { reason: "not_in_catalog", clause: "Model 'nonsense' was not found in catalog" },
    ],
    [
      "an empty catalog, which is a catalog that cannot be reached",
      "[12:30:39 ERR] Failed to process model #0 on page 1.\nException: No models were returned from the Azure Foundry catalog.",
      { reason: "network", clause: "No models were returned from the Azure Foundry catalog" },
    ],
    [
      "a service that it cannot reach",
      "Exception: Request to local service failed. Uri:http://127.0.0.1:0/foundry/list",
      { reason: "unknown", clause: "Request to local service failed" },
    ],
    ["something else", "Segmentation fault", { reason: "unknown", clause: "Segmentation fault" }],
    [
      "a command that it does not have",
      "● error: Unrecognized command or argument 'download'.\nHint: Run 'foundry --help' to see usage.",
      {
        reason: "unknown_command",
        clause: "Unrecognized command or argument 'download'",
      },
    ],
    ["nothing", "", { reason: "unknown", clause: null }],
    [
      "progress alone",
      "[##] 10.00 % [Time remaining: about 1m]",
      { reason: "unknown", clause: null },
    ],
  ])("%s", (_, said, complaint) => {
    expect(cliErrorOf(said, "")).toEqual(complaint);
    expect(cliErrorOf("", said)).toEqual(complaint);
  });

  it("is short, whatever the output is", () => {
    const { clause } = cliErrorOf(`Exception: ${"so it went on ".repeat(500)}`, "");
    expect(clause?.length).toBeLessThan(170);
  });
});
