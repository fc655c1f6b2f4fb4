"""The encoder."""

from typing import Any, Literal

from pydantic import field_validator

from lowres_stilts.recipe.settings import Settings


class ModelSettings(Settings):
    """The frozen encoder."""

    id: str
    """A Hugging Face id, a local folder, or `starter:multilingual-minilm`."""
    revision: str | None = None
    """A branch, tag or commit of the Hub repository."""
    quantize: Literal["none", "int8", "nf4"] = "nf4"
    """How bitsandbytes stores the linear layers: NF4 with double quantization, LLM.int8, or not at all."""
    embeddings: Literal["none", "int8", "nf4"] = "int8"
    """How the word embeddings, most of a multilingual encoder's weights, are stored."""
    offload_embeddings: bool = False
    """Keep the word embeddings in the CPU's memory and send each batch's vectors to the GPU."""
    compute: Literal["float32", "bf16"] = "bf16"
    """The type of activations and of weights that are not quantized; on CPUs that only emulate bf16, float32."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to run; `auto` takes CUDA where there is one."""
    head: Literal["library", "mean"] = "library"
    """`library`: what the Auto class has (dense, tanh, projection on `<s>`). `mean`: mean pooling, one layer."""

    @field_validator("device", mode="before")
    @classmethod
    def _is_supported(cls, device: Any) -> Any:
        name = str(device).lower()
        if name == "mps":
            raise ValueError("mps is not supported; use cpu")
        if name != "cuda" and name.startswith(("cuda", "gpu")):
            raise ValueError(f"use cuda, not {device}; CUDA_VISIBLE_DEVICES says which GPU that is")
        return device
