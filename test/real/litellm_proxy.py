"""Run the LiteLLM proxy on a free port of loopback, until it is stopped.

    python litellm_proxy.py --config FILE

Prints one line of JSON when the proxy answers: url and version. Ends at SIGTERM, or when its
standard input closes, so it never outlives its parent.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import sys
import threading
import time
import urllib.request
from importlib.metadata import version


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/health/liveliness", timeout=5) as answer:
            return answer.status == 200
    except OSError:
        return False


def end_with_input() -> None:
    while sys.stdin.buffer.read(4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def main() -> None:
    parser = argparse.ArgumentParser(description="Run the LiteLLM proxy.")
    parser.add_argument("--config", required=True)
    arguments = parser.parse_args()
    # The proxy writes its log to standard output; only our one line may go there.
    report = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    port = free_port()
    url = f"http://127.0.0.1:{port}"

    def tell_when_ready() -> None:
        while not answers(url):
            time.sleep(0.2)
        line = {"url": url, "version": version("litellm")}
        print(json.dumps(line), file=report, flush=True)

    threading.Thread(target=tell_when_ready, daemon=True).start()
    threading.Thread(target=end_with_input, daemon=True).start()
    from litellm.proxy.proxy_cli import run_server

    run_server(["--config", arguments.config, "--host", "127.0.0.1", "--port", str(port)])


if __name__ == "__main__":
    main()
