"""Logs as lines of JSON, which never have a text of a request in them."""

import json
import logging
import time
import traceback
from typing import Any

import orjson

USUAL = frozenset(logging.LogRecord("", 0, "", 0, "", (), None).__dict__) | {
    "message",
    "asctime",
    "color_message",
    "taskName",
}
access = logging.getLogger("lowres_stilts.serving.access")


class JsonLines(logging.Formatter):
    """One object a line; of an error its type and where it was raised, as messages may quote texts."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        line: dict[str, Any] = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "event": record.getMessage(),
        }
        line |= {key: value for key, value in record.__dict__.items() if key not in USUAL}
        if record.exc_info and record.exc_info[0]:
            line["error"] = record.exc_info[0].__name__
            line["at"] = [
                f"{frame.filename}:{frame.lineno}" for frame in traceback.extract_tb(record.exc_info[2])
            ][-6:]
        try:
            return orjson.dumps(line, default=str).decode()
        except TypeError:  # names of files can be bytes that are no UTF-8
            return json.dumps(line, default=str)


def log_config() -> dict[str, Any]:
    """For `logging.config.dictConfig`: everything to standard error."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"json": {"()": JsonLines}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json"}},
        "root": {"handlers": ["stderr"], "level": "WARNING"},
        "loggers": {
            "lowres_stilts": {"level": "INFO"},
            "uvicorn.error": {"level": "ERROR"},
        },
    }
