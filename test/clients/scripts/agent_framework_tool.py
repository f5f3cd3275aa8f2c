import asyncio

from agent_framework import MCPStdioTool
from agent_plan import ENVIRONMENT, LIMIT, SERVER, as_text, report, run_plan


async def main():
    limit = {} if LIMIT is None else {"request_timeout": int(LIMIT)}
    async with MCPStdioTool(name="foundry", **SERVER, env=ENVIRONMENT, **limit) as tool:

        async def call(name, given):
            result = await tool.call_tool(name, **given)
            parts = result if isinstance(result, list) else [result]
            return "\n".join(getattr(part, "text", None) or as_text(part) for part in parts)

        shown = await run_plan(call)
        report([function.name for function in tool.functions], shown)


asyncio.run(main())
