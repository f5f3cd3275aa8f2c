import json
import os

os.environ.update(
    CREWAI_DISABLE_TELEMETRY="true", OTEL_SDK_DISABLED="true", CREWAI_TRACING_ENABLED="false"
)

from agent_plan import ENVIRONMENT, SERVER, Plan, report
from crewai import Agent, Crew, Task
from crewai.llms.base_llm import BaseLLM
from crewai_tools import MCPServerAdapter
from mcp import StdioServerParameters

plan = Plan()
OBSERVATION = "\n\nObservation: "


class ScriptedModel(BaseLLM):
    def call(self, messages, *args, **kwargs):
        spoken = [m["content"] for m in messages if m["role"] == "assistant"]
        _, found, shown = spoken[-1].rpartition(OBSERVATION) if spoken else ("", "", "")
        following = plan.next(shown if found else None)
        if following is None:
            return "Thought: I now know the final answer\nFinal Answer: done"
        name, given = following
        return f"Thought: use it\nAction: {name}\nAction Input: {json.dumps(given)}\n"

    def supports_function_calling(self):
        return False

    def supports_stop_words(self):
        return False

    def get_context_window_size(self):
        return 100_000


parameters = StdioServerParameters(**SERVER, env=ENVIRONMENT)
with MCPServerAdapter(parameters, connect_timeout=60) as tools:
    agent = Agent(
        role="agent",
        goal="go",
        backstory="none",
        llm=ScriptedModel(model="scripted"),
        tools=list(tools),
        max_iter=40,
    )
    task = Task(description="go", expected_output="done", agent=agent)
    Crew(agents=[agent], tasks=[task], verbose=False).kickoff()
    report([tool.name for tool in tools], plan.shown)
