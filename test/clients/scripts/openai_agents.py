import asyncio
import json

from agent_plan import ENVIRONMENT, LIMIT, SERVER, Plan, report
from agents import Agent, Runner, set_tracing_disabled
from agents.items import ModelResponse
from agents.mcp import MCPServerStdio
from agents.models.interface import Model
from agents.usage import Usage
from openai.types.responses import (
    ResponseFunctionToolCall,
    ResponseOutputMessage,
    ResponseOutputText,
)

set_tracing_disabled(True)
plan = Plan()


class ScriptedModel(Model):
    async def get_response(self, system_instructions, input, *args, **kwargs):
        latest = input[-1] if isinstance(input, list) else {}
        is_result = latest.get("type") == "function_call_output"
        following = plan.next(latest["output"] if is_result else None)
        if following is None:
            text = ResponseOutputText(text="done", type="output_text", annotations=[])
            output = ResponseOutputMessage(
                id="m", role="assistant", status="completed", type="message", content=[text]
            )
        else:
            output = ResponseFunctionToolCall(
                call_id=f"call-{len(plan.shown)}",
                name=following[0],
                arguments=json.dumps(following[1]),
                type="function_call",
            )
        return ModelResponse(output=[output], usage=Usage(), response_id=None)

    async def stream_response(self, *args, **kwargs):
        raise NotImplementedError


async def main():
    limit = {} if LIMIT is None else {"client_session_timeout_seconds": LIMIT}
    async with MCPServerStdio(params={**SERVER, "env": ENVIRONMENT}, **limit) as server:
        tools = [tool.name for tool in await server.list_tools()]
        agent = Agent(name="agent", model=ScriptedModel(), mcp_servers=[server])
        await Runner.run(agent, "go", max_turns=40)
    report(tools, plan.shown)


asyncio.run(main())
