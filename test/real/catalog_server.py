"""A catalog on loopback, in place of Microsoft's, that lists the tiny models.

The service asks its catalog which models exist, what their aliases are and what they can do.
Both forms in use are answered: `POST …/entities/crossRegion` (1.x and 2.0) and
`POST …/asset-gallery/v1.0/models` (from 2.2).
"""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

CREATED = "2026-06-01T00:00:00+00:00"
CAPABILITIES = {"supports_tool_calling": "tool-calling", "supports_reasoning": "reasoning"}
Listed = dict[str, Any]


def tag_name(key: str) -> str:
    """`supports_tool_calling` as the catalog writes it: `supportsToolCalling`."""
    first, *others = key.split("_")
    return first + "".join(word.capitalize() for word in others)


def tags_of(model: Listed) -> dict[str, str]:
    tags = {
        "alias": model["alias"],
        "foundryLocal": "",
        "task": model["task"],
        "license": "MIT",
        "licenseDescription": "Made for tests.",
        "supportsToolCalling": "false",
        "promptTemplate": json.dumps({"prompt": "{Content}"}),
    }
    for key, value in model["properties"].items():
        tags[tag_name(key)] = value if isinstance(value, str) else "true"
    return tags


def asset_of(model: Listed) -> str:
    return f"azureml://registries/azureml/models/{model['name']}/versions/{model['version']}"


def variant_of(model: Listed) -> Listed:
    return {
        "parents": [{"assetId": asset_of({"name": model["alias"], "version": 1})}],
        "variantMetadata": {
            "modelType": "ONNX",
            "device": "cpu",
            "executionProvider": "CPUExecutionProvider",
            "fileSizeBytes": 524288,
        },
    }


def entity_of(model: Listed) -> Listed:
    return {
        "assetId": asset_of(model),
        "entityId": asset_of(model),
        "kind": "Versioned",
        "type": "models",
        "annotations": {
            "tags": tags_of(model),
            "labels": ["latest"],
            "systemCatalogData": {
                "publisher": model["publisher"],
                "displayName": model["name"],
                "license": "MIT",
                "maxOutputTokens": model["contextLength"] // 2,
                "textContextWindow": model["contextLength"],
            },
        },
        "properties": {
            "id": model["id"],
            "name": model["name"],
            "version": model["version"],
            "creationContext": {"createdTime": CREATED},
            "variantInfo": variant_of(model),
        },
    }


def summary_of(model: Listed) -> Listed:
    return {
        "assetId": asset_of(model),
        "name": model["name"],
        "displayName": model["name"],
        "version": str(model["version"]),
        "publisher": model["publisher"],
        "license": "MIT",
        "alias": model["alias"],
        "createdTime": CREATED,
        "inferenceTasks": [model["task"]],
        "modelCapabilities": [
            text for key, text in CAPABILITIES.items() if model["properties"].get(key)
        ],
        "deploymentOptions": ["Foundry Local on Devices"],
        "supportsToolCalling": bool(model["properties"].get("supports_tool_calling")),
        "supportsReasoning": bool(model["properties"].get("supports_reasoning")),
        "modelLimits": {
            "textLimits": {
                "inputContextWindow": model["contextLength"],
                "maxOutputTokens": model["contextLength"] // 2,
            }
        },
        "variantInformation": variant_of(model),
        "annotations": {"tags": tags_of(model)},
    }


def wanted(models: list[Listed], filters: list[Listed]) -> list[Listed]:
    """The models that pass the filters a service uses to tell models apart."""
    latest: dict[str, int] = {}
    for model in models:
        latest[model["name"]] = max(latest.get(model["name"], 0), model["version"])
    chosen = models
    for entry in filters:
        name, values = entry["field"], entry["values"]
        if name == "labels" and values == ["latest"]:
            chosen = [model for model in chosen if model["version"] == latest[model["name"]]]
        elif name in ("properties/id", "id"):
            chosen = [model for model in chosen if model["id"] in values]
        elif name in ("properties/name", "name"):
            chosen = [model for model in chosen if model["name"] in values]
        elif name in ("annotations/tags/alias", "alias"):
            chosen = [model for model in chosen if model["alias"] in values]
    return chosen


def answer(path: str, body: Listed, models: list[Listed]) -> Listed | None:
    if path.endswith("/entities/crossRegion"):
        found = wanted(models, body["indexEntitiesRequest"].get("filters", []))
        return {
            "indexEntitiesResponse": {
                "totalCount": len(found),
                "value": [entity_of(model) for model in found],
                "nextSkip": None,
                "continuationToken": None,
            }
        }
    if path.endswith("/asset-gallery/v1.0/models"):
        found = wanted(models, body.get("filters", []))
        return {
            "summaries": [summary_of(model) for model in found],
            "totalCount": len(found),
            "nextSkip": None,
            "continuationToken": None,
        }
    return None


def start_catalog(models: list[Listed], log_path: str) -> str:
    """Serve the models from a thread of this process; returns the server's URL."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(length)
            self.log_message("%s", body.decode("utf-8", "replace"))
            found = answer(self.path, json.loads(body or b"{}"), models)
            text = json.dumps(found if found is not None else {"error": "no such route"}).encode()
            self.send_response(200 if found is not None else 404)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def do_GET(self) -> None:
            self.send_response(404)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *arguments: object) -> None:
            with open(log_path, "a", encoding="utf-8") as log:
                log.write(f"{self.command} {self.path} {format % arguments}\n")

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_address[1]}"
