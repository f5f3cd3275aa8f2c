import { randomUUID } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import {
  acceptedContent,
  type CallToolResult,
  type InputRequests,
  inputRequired,
  type McpServer,
  MissingRequiredClientCapabilityError,
  Server,
  type ServerContext,
} from "@modelcontextprotocol/server";
import * as z from "zod";
import { declaresTasks, TASKS_EXTENSION } from "../../../src/mcp/requests.js";
import type { TaskCall, Tasks } from "../../../src/mcp/tasks.js";
import { NO_ARGUMENTS, question, textResult } from "./fixture-parts.js";

/** Its only answer is a task. */
const TASK_ONLY_TOOL = "failing_job";
const toolCall = z.object({ params: z.object({ name: z.string() }) });

/** Refuses a call that only a task could answer: `McpServer` makes a result of each error of a tool. */
export class TaskServer extends Server {
  protected override _wrapHandler(...[method, handler]: Parameters<Server["_wrapHandler"]>) {
    return super._wrapHandler(method, (request, context) => {
      const isRefused =
        toolCall.safeParse(request).data?.params.name === TASK_ONLY_TOOL &&
        !declaresTasks(context.mcpReq.envelope);
      if (!isRefused) return handler(request, context);
      const requiredCapabilities = { extensions: { [TASKS_EXTENSION]: {} } };
      throw new MissingRequiredClientCapabilityError({ requiredCapabilities });
    });
  }
}

/** A call is answered with a task after so long. The jobs that must become tasks take longer. */
const TASK_AFTER_MS = 100;
const JOB_MS = 1000;
const ANSWER_MS = 60_000;

/** Jobs that ask the user while they are tasks. */
const ASKING_JOBS: Readonly<Record<string, InputRequests>> = {
  confirm_delete: { confirm: question("Delete the file?", "confirm") },
  multi_input: {
    user_name: question("What is your name?", "name"),
    confirm: question("Please confirm", "confirm"),
  },
};

/** They answer with tasks of the product where the request declares the extension. */
export function addTaskTools(server: McpServer, tasks: Tasks): void {
  const answer = async (
    { mcpReq: { envelope, signal } }: ServerContext,
    work: (signal: AbortSignal, task?: TaskCall) => Promise<CallToolResult>,
  ): Promise<CallToolResult> => {
    if (!declaresTasks(envelope)) return work(signal);
    const answered = await tasks.answer(signal, TASK_AFTER_MS, (task) => {
      task.identify(randomUUID());
      return work(task.signal, task);
    });
    // The transport removes the content of a task.
    return { content: [], ...answered };
  };
  const job = (ms: number, signal: AbortSignal) => pause(ms, undefined, { signal, ref: false });

  server.registerTool(
    "greet",
    { description: "A tool.", inputSchema: z.object({ name: z.string() }) },
    ({ name }) => textResult(`Hello, ${name}!`),
  );
  server.registerTool(
    "slow_compute",
    { description: "A tool.", inputSchema: z.object({ seconds: z.number() }) },
    ({ seconds }, context) =>
      answer(context, async (signal) => {
        await job(seconds * 1000, signal);
        return textResult("computed");
      }),
  );
  server.registerTool(TASK_ONLY_TOOL, NO_ARGUMENTS, (_given, context) =>
    answer(context, async (signal) => {
      await job(JOB_MS, signal);
      return { isError: true, ...textResult("This job fails.") };
    }),
  );
  server.registerTool("protocol_error_job", NO_ARGUMENTS, (_given, context) =>
    answer(context, async (signal) => {
      await job(JOB_MS, signal);
      throw new Error("This job ends with an error of the protocol.");
    }),
  );
  // As a tool of the product, it asks the user before its task begins.
  server.registerTool("test_tool_with_task", NO_ARGUMENTS, (_given, context) => {
    const user = acceptedContent(context.mcpReq.inputResponses, "user_name");
    if (user === undefined) {
      const user_name = question("What is your name?", "name");
      return inputRequired({ inputRequests: { user_name } });
    }
    return answer(context, async (signal) => {
      await job(JOB_MS, signal);
      return textResult(`Hello, ${user["name"]}!`);
    });
  });
  for (const [name, inputRequests] of Object.entries(ASKING_JOBS)) {
    server.registerTool(name, NO_ARGUMENTS, (_given, context) =>
      answer(context, async (signal, task) => {
        await job(JOB_MS, signal);
        return textResult(JSON.stringify(await task?.ask(inputRequests, ANSWER_MS)));
      }),
    );
  }
  for (const [method, handle] of Object.entries(tasks.methods)) {
    server.server.setRequestHandler(method, { params: z.unknown() }, (params, { mcpReq }) =>
      handle(params, mcpReq),
    );
  }
}
