"""Run one of Microsoft's builds of Foundry Local, with the tiny models, until told to end.

    python serve.py --models DIRECTORY --state DIRECTORY

DIRECTORY of the models is what make_models.py wrote. Prints one line of JSON when the service
answers: url, pid, version, modelCachePath, and the models with the aliases this version gives
them. Ends at SIGTERM, or when its standard input closes, so it never outlives its parent.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import sys
import threading
from importlib.metadata import version
from pathlib import Path
from typing import Any

from catalog_server import start_catalog

# The native shutdown may hang (2.0 does while a generation runs); past this, the process goes.
GRACE_SECONDS = 3.0
APP_NAME = "real-services"


def copy_cache(models: Path, state: Path) -> Path:
    """A cache of this run's own: services write into theirs."""
    cache = state / "models"
    shutil.copytree(models / "cache", cache)
    return cache


def add_marker_tokens(cache: Path, models: list[dict[str, Any]]) -> None:
    for model in models:
        if model["markerTokens"] and not model["missing"]:
            path = cache / model["directory"] / "genai_config.json"
            config = json.loads(path.read_text(encoding="utf-8"))
            config["model"] |= model["markerTokens"]
            path.write_text(json.dumps(config), encoding="utf-8")


def configuration(state: Path, cache: Path, catalog: str, sdk: str) -> Any:
    from foundry_local_sdk import Configuration
    from foundry_local_sdk.logging_helper import LogLevel

    settings: dict[str, Any] = {}
    if sdk.startswith("1."):
        # Read by the closed core; not an argument of the SDK.
        settings["additional_settings"] = {"AzureCatalogUri": f"{catalog}/api/test/ux/v1.0"}
    elif sdk.startswith(("2.0.", "2.1.")):
        settings["catalog_urls"] = [(f"{catalog}/api/test/ux/v1.0", None)]
    else:
        settings["catalog_urls"] = [(f"{catalog}/asset-gallery/v1.0/models", None)]
    if not sdk.startswith("1."):
        settings["disable_nonessential_telemetry"] = True
    return Configuration(
        app_name=APP_NAME,
        app_data_dir=str(state),
        model_cache_dir=str(cache),
        logs_dir=str(state / "logs"),
        log_level=LogLevel.INFORMATION,
        web=Configuration.WebService(urls="http://127.0.0.1:0"),
        **settings,
    )


def register_own(manager: Any, cache: Path, own: list[dict[str, Any]]) -> None:
    """From 2.1 a folder that no catalog names has to be registered."""
    from foundry_local_sdk import CatalogType, ModelInfoBuilder

    catalog = manager.get_catalog(CatalogType.LOCAL)
    for model in own:
        with ModelInfoBuilder() as info:
            info.set_string_property("task", model["task"])
            info.set_string_property("display_name", model["name"])
            info.set_string_property("publisher", model["publisher"])
            for key, value in model["properties"].items():
                if isinstance(value, str):
                    info.set_string_property(key, value)
                else:
                    info.set_int_property(key, value)
            catalog.register_model(str(cache / model["directory"]), model["id"], info)


def described(model: dict[str, Any], registers: bool) -> dict[str, Any]:
    """A model as a client meets it on this version."""
    alias = model["alias"]
    if model["own"] and not registers:
        # Found as a folder: no catalog gives it an alias, so its name is its alias.
        alias = model["name"]
    return {
        "role": model["role"],
        "id": model["id"],
        "name": model["name"],
        "alias": alias,
        "family": "local" if model["own"] and registers else "public",
    }


def wait_for_end() -> None:
    ended = threading.Event()

    def read_input() -> None:
        while sys.stdin.buffer.read(4096):
            pass
        ended.set()

    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    signal.signal(signal.SIGINT, lambda *_: ended.set())
    threading.Thread(target=read_input, daemon=True).start()
    while not ended.wait(0.5):
        pass


def main() -> None:
    parser = argparse.ArgumentParser(description="Run one Foundry Local service.")
    parser.add_argument("--models", type=Path, required=True)
    parser.add_argument("--state", type=Path, required=True)
    arguments = parser.parse_args()
    # The core writes its log to standard output; only our one line may go there.
    report = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    # The SDK looks its native libraries up when it is imported, hence not at the top.
    from foundry_local_sdk import FoundryLocalManager

    state: Path = arguments.state.resolve()
    sdk = version("foundry-local-sdk")
    models: list[dict[str, Any]] = json.loads((arguments.models / "models.json").read_text())
    cache = copy_cache(arguments.models, state)
    if not sdk.startswith("1."):
        add_marker_tokens(cache, models)
    listed = [model for model in models if not model["own"]]
    own = [model for model in models if model["own"]]
    registers = not sdk.startswith(("1.", "2.0."))
    catalog = start_catalog(listed, str(state / "catalog.log"))
    FoundryLocalManager.initialize(configuration(state, cache, catalog, sdk))
    manager: Any = FoundryLocalManager.instance
    if registers:
        register_own(manager, cache, own)
    manager.start_web_service()
    line = {
        "url": manager.urls[0],
        "pid": os.getpid(),
        "version": sdk,
        "modelCachePath": str(cache),
        "models": [described(model, registers) for model in models],
    }
    print(json.dumps(line), file=report, flush=True)
    wait_for_end()
    threading.Timer(GRACE_SECONDS, lambda: os._exit(0)).start()
    manager.stop_web_service()
    # Not sys.exit: the SDK's own hooks at exit can hang as well.
    os._exit(0)


if __name__ == "__main__":
    main()
