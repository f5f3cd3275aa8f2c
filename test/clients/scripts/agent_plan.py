"""An agent whose model makes the calls of a plan, and then does what it is shown."""

import json
import os
import re

SERVER = json.loads(os.environ["SERVER"])
ENVIRONMENT = dict(os.environ)
LIMIT = float(os.environ["LIMIT_SECONDS"]) if os.environ.get("LIMIT_SECONDS") else None
MODE = os.environ.get("MODE", "")
# Calls as [name, arguments]. The answer to the last one is long, and ends with END.
CALLS = json.loads(os.environ["CALLS"])
END = os.environ["END"]
MOST_CALLS = 30


class Plan:
    def __init__(self):
        self.shown = []

    def next(self, shown=None):
        """The next call after the model was shown this of the latest one; None when all is done."""
        if shown is not None:
            self.shown.append(as_text(shown))
        count = len(self.shown)
        if count < len(CALLS):
            return CALLS[count]
        latest = self.shown[-1]
        if END in latest or count > MOST_CALLS:
            return None
        found = re.search(r"\bc-[0-9a-z]+-\d+\b", latest)
        if found is None or "get_completion" not in latest:
            return CALLS[-1]
        given = {"completion_ids": [found.group(0)]}
        start = re.search(r"\bfrom (\d+)", latest)
        if start is not None:
            given["from"] = int(start.group(1))
        return ["get_completion", given]


async def run_plan(call):
    """For a client without an agent: `call` returns what a model would be shown."""
    plan = Plan()
    following = plan.next()
    while following is not None:
        try:
            shown = await call(*following)
        except Exception as error:
            shown = f"{type(error).__name__}: {error}"
        following = plan.next(shown)
    return plan.shown


def as_text(value):
    if isinstance(value, str):
        return value
    if hasattr(value, "model_dump"):
        value = value.model_dump(mode="json", by_alias=True, exclude_none=True)
    return json.dumps(value, default=str, ensure_ascii=False)


def report(tools, shown):
    print(flush=True)
    print(json.dumps({"tools": list(tools), "shown": shown}), flush=True)
