import asyncio

from agent_plan import ENVIRONMENT, LIMIT, SERVER, Plan, report
from google.adk.agents import LlmAgent
from google.adk.models.base_llm import BaseLlm
from google.adk.models.llm_response import LlmResponse
from google.adk.runners import InMemoryRunner
from google.adk.tools.mcp_tool import McpToolset
from google.adk.tools.mcp_tool.mcp_session_manager import StdioConnectionParams
from google.genai import types
from mcp import StdioServerParameters

plan = Plan()


class ScriptedModel(BaseLlm):
    async def generate_content_async(self, request, stream=False):
        result = request.contents[-1].parts[-1].function_response
        following = plan.next(None if result is None else result.response)
        if following is None:
            part = types.Part(text="done")
        else:
            name, given = following
            part = types.Part(function_call=types.FunctionCall(name=name, args=given))
        yield LlmResponse(content=types.Content(role="model", parts=[part]))


async def main():
    limit = {} if LIMIT is None else {"timeout": LIMIT}
    parameters = StdioServerParameters(**SERVER, env=ENVIRONMENT)
    toolset = McpToolset(
        connection_params=StdioConnectionParams(server_params=parameters, **limit)
    )
    tools = [tool.name for tool in await toolset.get_tools()]
    agent = LlmAgent(name="agent", model=ScriptedModel(model="scripted"), tools=[toolset])
    runner = InMemoryRunner(agent=agent, app_name="app")
    session = await runner.session_service.create_session(app_name="app", user_id="user")
    message = types.Content(role="user", parts=[types.Part(text="go")])
    async for _ in runner.run_async(
        user_id="user", session_id=session.id, new_message=message
    ):
        pass
    await toolset.close()
    report(tools, plan.shown)


asyncio.run(main())
