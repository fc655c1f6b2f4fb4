"""Configurations of XLM-R in its four sizes, as their repositories on the Hub have them."""

import json
from importlib.resources import files
from typing import Any

from transformers import AutoConfig, PretrainedConfig

from lowres_stilts.encoder.load import NO_DROPOUT, read_config
from lowres_stilts.errors import EncoderError

ALIASES = {"xlm-roberta-base": "FacebookAI/xlm-roberta-base", "xlm-roberta-large": "FacebookAI/xlm-roberta-large"}
"""Names that the Hub redirects."""


def known_settings() -> dict[str, dict[str, Any]]:
    """The content of `config.json` by Hugging Face id."""
    text = (files("lowres_stilts.encoder") / "known_configs.json").read_text(encoding="utf-8")
    settings: dict[str, dict[str, Any]] = json.loads(text)
    return settings


def config_to_plan(model_id: str, revision: str | None = None) -> PretrainedConfig:
    """The configuration of an encoder; that of XLM-R is known where neither the cache nor the Hub has it.

    Raises:
        EncoderError: it cannot be found, or is of another family.
    """
    try:
        return read_config(model_id, revision)
    except EncoderError:
        settings = known_settings().get(ALIASES.get(model_id, model_id))
        if settings is None or revision is not None:
            raise
    config: PretrainedConfig = AutoConfig.for_model(**settings)
    config.update(NO_DROPOUT)
    return config
