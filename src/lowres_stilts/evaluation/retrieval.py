"""Sentence retrieval: each sentence takes the nearest English one by cosine."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from lowres_stilts.data.examples import SentencePair
from lowres_stilts.encoder.load import Encoder
from lowres_stilts.errors import RecipeError
from lowres_stilts.modules.heads import mean_pool
from lowres_stilts.tasks.batches import make_batch, plan_batches
from lowres_stilts.tasks.features import pack
from lowres_stilts.text.encode import encode_texts


def embed(
    model: nn.Module,
    encoder: Encoder,
    texts: Sequence[str],
    *,
    layer: int = -1,
    pooling: Literal["mean", "cls"] = "mean",
    prefix: str = "",
    max_length: int = 128,
    tokens_per_batch: int = 4096,
) -> NDArray[np.float32]:
    """Unit vectors `[texts, hidden]`.

    Args:
        model: the encoder with its active modules.
        encoder: its tokenizer and device.
        texts: the sentences.
        layer: index into `hidden_states`; 0 is the embedding output. XTREME's "layer 13" of Tatoeba is 14 here.
        pooling: mean over tokens, or the first token.
        prefix: put before every sentence.
        max_length: most tokens of a sentence.
        tokens_per_batch: most tokens of a batch.

    Raises:
        RecipeError: the encoder has no such layer.
    """
    layers = int(encoder.model.config.num_hidden_layers)
    if not -layers - 1 <= layer <= layers:
        raise RecipeError(f"evaluate.retrieval.layer: {layer} is out of range, there are 0 to {layers}")
    ids = encode_texts(encoder.tokenizer, [(prefix + text, None) for text in texts], max_length)
    features = pack([[sequence] for sequence in ids], [0] * len(ids))
    vectors = np.zeros((len(texts), encoder.hidden_size), np.float32)
    model.eval()
    with torch.inference_mode():
        for examples in plan_batches(features, tokens_per_batch):
            batch = make_batch(features, examples, encoder.pad_id)
            mask = torch.from_numpy(batch.mask).to(encoder.device)
            inputs = torch.from_numpy(batch.ids).to(encoder.device)
            output = model(input_ids=inputs, attention_mask=mask, output_hidden_states=True)
            states = output.hidden_states[layer]
            pooled = mean_pool(states, mask) if pooling == "mean" else states[:, 0].float()
            vectors[examples] = nn.functional.normalize(pooled, dim=-1).cpu().numpy()
    return vectors


def nearest(sources: NDArray[np.float32], targets: NDArray[np.float32]) -> list[int]:
    """For each source vector the index of the most similar target vector."""
    best: list[int] = (sources @ targets.T).argmax(axis=1).tolist()
    return best


def retrieve(
    model: nn.Module,
    encoder: Encoder,
    pairs: Sequence[SentencePair],
    *,
    layer: int,
    pooling: Literal["mean", "cls"],
    prefix: str,
    tokens_per_batch: int,
) -> list[int]:
    """For each source sentence the index of the English sentence that it finds."""
    sides = ([pair.source for pair in pairs], [pair.english for pair in pairs])
    source, english = (
        embed(
            model,
            encoder,
            side,
            layer=layer,
            pooling=pooling,
            prefix=prefix,
            tokens_per_batch=tokens_per_batch,
        )
        for side in sides
    )
    return nearest(source, english)
