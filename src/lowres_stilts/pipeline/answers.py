"""What an arm predicts for the tests of a language."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lowres_stilts.data.examples import Pool
from lowres_stilts.evaluation.nbest import NBest
from lowres_stilts.evaluation.predict import predict
from lowres_stilts.evaluation.retrieval import Retriever, View
from lowres_stilts.evaluation.submission import prediction_file
from lowres_stilts.modules.network import Network
from lowres_stilts.pipeline.dev import longest, max_length
from lowres_stilts.pipeline.material import Material
from lowres_stilts.pipeline.phase import Bench
from lowres_stilts.pipeline.transfer import Trained, in_language
from lowres_stilts.recipe.schema import Recipe
from lowres_stilts.tasks.cache import cached_features

NBEST_FOLDER = "nbest"


@dataclass(frozen=True)
class Answering:
    """Call it with a language."""

    recipe: Recipe
    material: Material
    bench: Bench
    trained: Trained
    nbest: int | None = None
    """Also write that many answers to each question."""

    def __call__(self, language: str) -> list[Any]:
        """Predictions for the test examples, in their order.

        Raises:
            RunError: the n best answers cannot be written.
        """
        self.bench.stack.activate(in_language(self.recipe, self.trained.active, language))
        if self.trained.network is not None:
            return self._predicted(self.trained.network, language)
        pool, tuning = as_pool(self.material.test[language]), self.material.tuning.get(language)
        return retriever_of(self.recipe, self.material, self.bench).answer(self.material.target, pool, tuning)

    def _predicted(self, network: Network, language: str) -> list[Any]:
        task, encoder, settings = self.material.target, self.bench.encoder, self.recipe.evaluate
        length = max_length(self.recipe.target.train, task.max_length, encoder)
        examples = _examples(self.material.test[language])
        features = cached_features(task, examples, encoder.tokenizer, length)
        if self.nbest is None or task.family != "qa":
            return predict(network, encoder, task, examples, features, settings.tokens_per_batch)
        best = NBest(task, examples, features, self.nbest)
        found = predict(network, encoder, task, examples, features, settings.tokens_per_batch, keep=best.keep)
        file = prediction_file(task, settings.split, language)
        best.write(self.bench.folder.predictions(NBEST_FOLDER, task.name, file))
        return found


def _examples(found: Sequence[Any] | Pool) -> Sequence[Any]:
    if isinstance(found, Pool):
        raise TypeError("a pool is searched, not predicted")
    return found


def as_pool(found: Sequence[Any] | Pool) -> Pool:
    """What a retrieval task has in the place of examples."""
    if not isinstance(found, Pool):
        raise TypeError("examples are predicted, not searched")
    return found


def retriever_of(recipe: Recipe, material: Material, bench: Bench) -> Retriever:
    """What searches the pools, over the modules that are active."""
    settings = recipe.evaluate.retrieval
    return Retriever(
        bench.stack.model,
        bench.encoder,
        View(settings.layer, settings.pooling),
        prefix=settings.prefix,
        similarity=settings.similarity,
        neighbours=settings.neighbours,
        max_length=longest(material.target.max_length, bench.encoder),
        tokens_per_batch=recipe.evaluate.tokens_per_batch,
    )
