"""Scores on dev sets, English as a rule, by which weights are chosen."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lowres_stilts.encoder.load import Encoder
from lowres_stilts.evaluation.chance import gold_answers
from lowres_stilts.evaluation.metrics import METRICS, Floats
from lowres_stilts.evaluation.predict import hidden_token_accuracy, predict
from lowres_stilts.modules.network import Network
from lowres_stilts.pipeline.training_set import TrainingSet
from lowres_stilts.recipe.training import TrainSettings
from lowres_stilts.tasks.cache import cached_features
from lowres_stilts.tasks.families import DECODERS
from lowres_stilts.tasks.features import Features
from lowres_stilts.tasks.task import Task


@dataclass(frozen=True)
class DevSet:
    """A task's dev examples, ready to score a network on."""

    task: Task
    examples: list[Any]
    features: Features
    languages: tuple[str, ...]

    def score(self, network: Network, encoder: Encoder, tokens_per_batch: int) -> float:
        """Points."""
        return self.look(network, encoder, tokens_per_batch)[0]

    def look(self, network: Network, encoder: Encoder, tokens_per_batch: int) -> tuple[float, list[Any]]:
        """Points, and the answers that they are for; none for hidden tokens."""
        if self.task.family == "mlm":
            return hidden_token_accuracy(network, encoder, self.task, self.features, tokens_per_batch), []
        metric = METRICS[self.task.metric]
        answers = predict(network, encoder, self.task, self.examples, self.features, tokens_per_batch)
        return metric.score(self._table(answers)), answers

    def parts(self, answers: Sequence[Any]) -> dict[str, float]:
        """Points of the metric's parts, such as precision and recall; none for hidden tokens."""
        if self.task.family not in DECODERS:
            return {}
        found = METRICS[self.task.metric].part_scores(self._table(answers))
        return {name: round(points, 4) for name, points in found.items()}

    def _table(self, answers: Sequence[Any]) -> Floats:
        gold = gold_answers(self.task, self.examples)
        return METRICS[self.task.metric].table(gold, answers, self.languages[0])


def dev_set(each: TrainingSet, settings: TrainSettings, encoder: Encoder) -> DevSet:
    """The dev set of a task, cut into sub-words."""
    length = max_length(settings, each.task.max_length, encoder)
    features = cached_features(each.task, each.dev, encoder.tokenizer, length)
    return DevSet(each.task, each.dev, features, each.dev_languages)


def max_length(phase_train: TrainSettings, data_max_length: int, encoder: Encoder) -> int:
    """Most tokens of a sequence: the recipe's or the task's, as far as the encoder goes."""
    return longest(phase_train.max_length or data_max_length, encoder)


def longest(asked: int, encoder: Encoder) -> int:
    """As many tokens as asked for, as far as the encoder goes."""
    # RoBERTa's positions start behind the padding id; BERT's at 0.
    offset = 0 if encoder.model.config.model_type == "bert" else encoder.pad_id + 1
    return min(asked, int(encoder.model.config.max_position_embeddings) - offset)
