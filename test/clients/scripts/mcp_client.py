import asyncio

from agent_plan import ENVIRONMENT, MODE, SERVER, report, run_plan
from mcp import Client, StdioServerParameters, stdio_client


async def main():
    parameters = StdioServerParameters(**SERVER, env=ENVIRONMENT)
    async with Client(stdio_client(parameters), mode=MODE) as client:
        tools = [tool.name for tool in (await client.list_tools()).tools]
        shown = await run_plan(client.call_tool)
    report(tools, shown)


asyncio.run(main())
