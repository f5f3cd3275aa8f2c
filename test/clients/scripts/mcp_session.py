import asyncio

from agent_plan import ENVIRONMENT, SERVER, report, run_plan
from mcp import ClientSession, StdioServerParameters, stdio_client


async def main():
    parameters = StdioServerParameters(**SERVER, env=ENVIRONMENT)
    async with stdio_client(parameters) as streams, ClientSession(*streams) as session:
        await session.initialize()
        tools = [tool.name for tool in (await session.list_tools()).tools]
        shown = await run_plan(session.call_tool)
    report(tools, shown)


asyncio.run(main())
