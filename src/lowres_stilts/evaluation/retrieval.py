"""Retrieval: embeddings of queries and candidates, and the answers that follow from their similarity."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from lowres_stilts.data.examples import Passage, Pool
from lowres_stilts.encoder.load import Encoder
from lowres_stilts.errors import RecipeError
from lowres_stilts.evaluation.search import Similarity, best_threshold, mine, only_once, rank
from lowres_stilts.modules.heads import mean_pool
from lowres_stilts.tasks.batches import make_batch, plan_batches
from lowres_stilts.tasks.features import pack
from lowres_stilts.tasks.task import Task
from lowres_stilts.text.encode import encode_texts

Pooling = Literal["mean", "cls"]
RANKED = 20
"""How many candidates a ranking has (XTREME-R)."""


@dataclass(frozen=True)
class View:
    """How a passage becomes one vector."""

    layer: int = -1
    """Index into `hidden_states`; 0 is the embedding output. XTREME's "layer 13" of Tatoeba is 14 here."""
    pooling: Pooling = "mean"


@dataclass(frozen=True)
class Retriever:
    """Answers queries with the encoder and its active modules."""

    model: nn.Module
    encoder: Encoder
    view: View
    prefix: str = ""
    similarity: Similarity = "cosine"
    neighbours: int = 4
    max_length: int = 128
    tokens_per_batch: int = 4096

    def with_view(self, view: View) -> "Retriever":
        """The same over another layer or pooling."""
        return replace(self, view=view)

    def answer(self, task: Task, pool: Pool, tuning: Pool | None = None) -> list[Any]:
        """For each query the id of a candidate, or a pair's or None, or a ranking of ids, as the task wants it.

        Args:
            task: its way of searching.
            pool: queries and candidates.
            tuning: where mining takes its threshold from; the pool itself where it is not given.
        """
        if task.search == "mine":
            return self._mined(pool, tuning or pool)
        queries, candidates = (self._embed(passages) for passages in _sides(pool))
        count = RANKED if task.search == "rank" else 1
        best = rank(queries, candidates, count, similarity=self.similarity, neighbourhood=self.neighbours)
        ids = [[pool.candidates[position].id for position in row] for row in best]
        return [tuple(row) if task.search == "rank" else row[0] for row in ids]

    def _mined(self, pool: Pool, tuning: Pool) -> list[str | None]:
        scored = self._pairs(pool)
        gold = {(q.passage.id, answer) for q in tuning.queries for answer in q.answers or ()}
        threshold = best_threshold(scored if tuning is pool else self._pairs(tuning), gold)
        found = {source: target for (source, target), score in scored if score >= threshold}
        return [found.get(query.passage.id) for query in pool.queries]

    def _pairs(self, pool: Pool) -> list[tuple[tuple[str, str], float]]:
        vectors, ids = [], []
        for passages in _sides(pool):
            texts, names = only_once({passage.id: passage.text for passage in passages})
            vectors.append(self._embed([Passage(text, text) for text in texts]))
            ids.append(names)
        pairs = mine(vectors[0], vectors[1], self.neighbours)
        named = [((ids[0][source], ids[1][target]), score) for (source, target), score in pairs]
        return [(pair, score) for pair, score in named if all(pair)]

    def _embed(self, passages: Sequence[Passage]) -> NDArray[np.float32]:
        return embed(
            self.model,
            self.encoder,
            passages,
            self.view,
            prefix=self.prefix,
            max_length=self.max_length,
            tokens_per_batch=self.tokens_per_batch,
        )


def _sides(pool: Pool) -> tuple[Sequence[Passage], Sequence[Passage]]:
    return [query.passage for query in pool.queries], pool.candidates


def embed(
    model: nn.Module,
    encoder: Encoder,
    passages: Sequence[Passage],
    view: View,
    *,
    prefix: str = "",
    max_length: int = 128,
    tokens_per_batch: int = 4096,
) -> NDArray[np.float32]:
    """Unit vectors `[passages, hidden]`.

    Args:
        model: the encoder with its active modules.
        encoder: its tokenizer and device.
        passages: what to embed; one with a second text is encoded as a pair.
        view: layer and pooling.
        prefix: put before every passage.
        max_length: most tokens of a passage.
        tokens_per_batch: most tokens of a batch.

    Raises:
        RecipeError: the encoder has no such layer.
    """
    layers = int(encoder.model.config.num_hidden_layers)
    if not -layers - 1 <= view.layer <= layers:
        raise RecipeError(f"evaluate.retrieval.layer: {view.layer} is out of range, there are 0 to {layers}")
    texts = [(prefix + passage.text, passage.text_pair) for passage in passages]
    ids = encode_texts(encoder.tokenizer, texts, max_length)
    features = pack([[sequence] for sequence in ids], [0] * len(ids))
    vectors = np.zeros((len(passages), encoder.hidden_size), np.float32)
    model.eval()
    with torch.inference_mode():
        for examples in plan_batches(features, tokens_per_batch):
            batch = make_batch(features, examples, encoder.pad_id)
            mask = torch.from_numpy(batch.mask).to(encoder.device)
            inputs = torch.from_numpy(batch.ids).to(encoder.device)
            output = model(input_ids=inputs, attention_mask=mask, output_hidden_states=True)
            states = output.hidden_states[view.layer]
            pooled = mean_pool(states, mask) if view.pooling == "mean" else states[:, 0].float()
            vectors[examples] = nn.functional.normalize(pooled, dim=-1).cpu().numpy()
    return vectors


def sweep(
    retriever: Retriever, layers: Sequence[int], task: Task, pools: Mapping[str, Pool], tuning: Mapping[str, Pool]
) -> dict[View, dict[str, list[Any]]]:
    """Answers by language for each of these layers and both poolings."""
    poolings: tuple[Pooling, ...] = ("mean", "cls")
    views = [View(layer, pooling) for layer in layers for pooling in poolings]
    return {
        view: {
            language: retriever.with_view(view).answer(task, pool, tuning.get(language))
            for language, pool in pools.items()
        }
        for view in views
    }
