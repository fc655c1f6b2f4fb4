import huggingface_hub.constants as hub
import pytest
import torch
from huggingface_hub.utils import reset_sessions
from transformers import XLMRobertaConfig, XLMRobertaXLConfig

from lowres_stilts.encoder.build import weightless_model
from lowres_stilts.encoder.known import config_to_plan, known_settings
from lowres_stilts.errors import EncoderError

PARAMETERS = {
    "FacebookAI/xlm-roberta-base": 277e6,
    "FacebookAI/xlm-roberta-large": 559e6,
    "facebook/xlm-roberta-xl": 3.48e9,
    "facebook/xlm-roberta-xxl": 10.7e9,
}


@pytest.mark.parametrize("name", PARAMETERS)
def test_xlm_r_has_as_many_parameters_as_its_authors_say(name):
    settings = known_settings()[name]
    config = (XLMRobertaXLConfig if "xl" in settings["model_type"][12:] else XLMRobertaConfig)(**settings)
    model = weightless_model(config, quantize="none", embeddings="none", dtype=torch.float32, attention="eager")
    assert sum(p.numel() for p in model.parameters()) == pytest.approx(PARAMETERS[name], rel=0.01)


@pytest.fixture
def no_hub(monkeypatch, tmp_path):
    monkeypatch.setattr(hub, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(hub, "HF_HUB_OFFLINE", True)
    reset_sessions()
    yield
    monkeypatch.undo()
    reset_sessions()  # which know whether they were made offline


@pytest.mark.parametrize("name", [*PARAMETERS, "xlm-roberta-large"])
def test_xlm_r_can_be_planned_where_the_hub_is_out_of_reach(name, no_hub):
    config = config_to_plan(name)
    assert config.hidden_dropout_prob == 0.0
    assert config.vocab_size > 250_000
    with pytest.raises(EncoderError, match="cannot be loaded"):
        config_to_plan(name, "some-revision")
    with pytest.raises(EncoderError, match="cannot be loaded"):
        config_to_plan("FacebookAI/xlm-roberta-medium")
