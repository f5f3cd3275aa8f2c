# Python: a planner, workers and a reviewer on one local model, through the MCP server.
# Needs Node, Python 3.10, and: pip install "mcp>=2"
#
#   python examples/orchestrator.py                        on Foundry Local, which the server finds
#   python examples/orchestrator.py http://127.0.0.1:5273  on the simulator, in another terminal:
#     node dist/main.js simulate --port 5273 --answers examples/answers.json
import asyncio
import sys
from pathlib import Path

from mcp import Client, StdioServerParameters, stdio_client

MAIN = Path(__file__).parent.parent / "dist" / "main.js"
FLAGS = ["--log-level", "warn", *(["--endpoint", sys.argv[1]] if sys.argv[1:] else [])]
SERVER = StdioServerParameters(command="node", args=[str(MAIN), *FLAGS])
GOAL = "A short leaflet about reading aloud to children."
TASKS = {"type": "array", "items": {"type": "string"}, "minItems": 2, "maxItems": 4}


async def call(client, tool, **arguments):
    result = await client.call_tool(tool, arguments)
    if result.is_error:
        raise RuntimeError(result.content[0].text)
    return result.structured_content


async def decide(client, prompt, **properties):
    # The calls of this client have no time limit, so one call waits for the whole answer.
    schema = {"type": "object", "properties": properties, "required": list(properties)}
    given = {"prompt": prompt, "response_schema": schema, "reply_within": 3600}
    return (await call(client, "complete", **given))["data"]


async def work(client, prompts):
    batch = await call(client, "complete_batch", prompts=prompts)
    results = batch["results"]
    while batch["pending"]:
        batch = await call(client, "complete_batch", batch_id=batch["batch_id"])
        results += batch["results"]
    return [result.get("text", "") for result in sorted(results, key=lambda one: one["index"])]


async def main():
    async with Client(stdio_client(SERVER)) as client:
        plan = await decide(client, f"Split into independent parts to write: {GOAL}", tasks=TASKS)
        review = {"approved": False, "comment": "none yet"}
        for _ in range(3):
            wish = f"\nThe reviewer's comment: {review['comment']}"
            parts = await work(client, [f"Write: {task}{wish}" for task in plan["tasks"]])
            leaflet = "\n\n".join(parts)
            verdict = {"approved": {"type": "boolean"}, "comment": {"type": "string"}}
            review = await decide(client, f"Review this leaflet:\n{leaflet}", **verdict)
            print(f"Review: {review['comment']}", file=sys.stderr)
            if review["approved"]:
                break
        print(leaflet)


asyncio.run(main())
