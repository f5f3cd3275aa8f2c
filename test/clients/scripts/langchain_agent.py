import asyncio

from agent_plan import ENVIRONMENT, SERVER, Plan, as_text, report
from langchain.agents import create_agent
from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.messages import AIMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_mcp_adapters.client import MultiServerMCPClient
from langchain_mcp_adapters.tools import load_mcp_tools

plan = Plan()


class ScriptedModel(BaseChatModel):
    @property
    def _llm_type(self):
        return "scripted"

    def bind_tools(self, tools, **kwargs):
        return self

    def _generate(self, messages, stop=None, run_manager=None, **kwargs):
        latest = messages[-1]
        following = plan.next(as_text(latest.content) if latest.type == "tool" else None)
        if following is None:
            message = AIMessage(content="done")
        else:
            call = {"id": f"call-{len(messages)}", "name": following[0], "args": following[1]}
            message = AIMessage(content="", tool_calls=[call])
        return ChatResult(generations=[ChatGeneration(message=message)])


async def main():
    connection = {"transport": "stdio", **SERVER, "env": ENVIRONMENT}
    client = MultiServerMCPClient({"foundry": connection})
    async with client.session("foundry") as session:
        tools = await load_mcp_tools(session)
        agent = create_agent(ScriptedModel(), tools)
        await agent.ainvoke({"messages": [("user", "go")]}, {"recursion_limit": 100})
    report([tool.name for tool in tools], plan.shown)


asyncio.run(main())
