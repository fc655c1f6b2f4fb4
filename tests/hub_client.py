"""Reads from a hub in a process of its own: `huggingface_hub` settles on endpoint and cache when imported."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from lowres_stilts.data.hub import HubDataset, read_hub, resolve_revision
from lowres_stilts.errors import DataError


class HubClient:
    """A process that answers one question a line, with nothing but its answers on stdout."""

    def __init__(self, home: Path, endpoint: str, **environment: str) -> None:
        own = {"HF_HOME": str(home), "HF_ENDPOINT": endpoint, "HF_HUB_DISABLE_TELEMETRY": "1"}
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "HUGGING"))}
        self.process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", "tests.hub_client"],
            cwd=Path(__file__).parent.parent,
            env=inherited | own | environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def close(self) -> None:
        self.process.communicate(timeout=20)

    def records(self, dataset: HubDataset, split: str, language: str, **options: Any) -> list[dict[str, Any]]:
        """Path, line and fields of each record; raises the client's DataError."""
        return self._ask("records", dataset, split=split, language=language, **options)

    def commit(self, dataset: HubDataset, revision: str | None = None) -> str:
        return self._ask("commit", dataset, revision=revision)

    def _ask(self, question: str, dataset: HubDataset, **options: Any) -> Any:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps([question, plain(dataset), options]) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        if "error" in answer:
            raise DataError(answer["error"]) from Exception(answer["cause"])
        return answer["result"]


def plain(dataset: HubDataset) -> dict[str, Any]:
    return {name: value if isinstance(value, str) else dict(value) for name, value in vars(dataset).items()}


def answer(question: str, dataset: HubDataset, options: dict[str, Any]) -> Any:
    if question == "commit":
        return resolve_revision(dataset, **options)
    return [{"path": str(r.path), "line": r.line, "fields": r.fields} for r in read_hub(dataset, **options)]


def main() -> None:
    for line in sys.stdin:
        question, dataset, options = json.loads(line)
        try:
            reply = {"result": answer(question, HubDataset(**dataset), options)}
        except DataError as error:
            reply = {"error": str(error), "cause": type(error.__cause__).__name__}
        sys.stdout.write(json.dumps(reply) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
