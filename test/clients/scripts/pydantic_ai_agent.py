import asyncio

from agent_plan import ENVIRONMENT, LIMIT, SERVER, Plan, report
from fastmcp.client.transports import StdioTransport
from pydantic_ai import Agent
from pydantic_ai.mcp import MCPToolset
from pydantic_ai.messages import ModelResponse, TextPart, ToolCallPart
from pydantic_ai.models.function import FunctionModel

plan = Plan()
names = []


def model(messages, info):
    names[:] = [tool.name for tool in info.function_tools]
    part = messages[-1].parts[-1]
    is_result = part.part_kind in ("tool-return", "retry-prompt")
    following = plan.next(part.content if is_result else None)
    if following is None:
        return ModelResponse(parts=[TextPart("done")])
    return ModelResponse(parts=[ToolCallPart(*following)])


async def main():
    limit = {} if LIMIT is None else {"read_timeout": LIMIT}
    toolset = MCPToolset(StdioTransport(**SERVER, env=ENVIRONMENT), **limit)
    agent = Agent(FunctionModel(model), toolsets=[toolset])
    async with agent:
        await agent.run("go")
    report(names, plan.shown)


asyncio.run(main())
