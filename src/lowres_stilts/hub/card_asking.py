"""The texts that a card asks its package about, in lines of Python, and what those print."""

import json
from types import MappingProxyType

from lowres_stilts.hub.manifest import Manifest, TaskPart
from lowres_stilts.tasks.catalog import REGISTRY

FIRST, SECOND = "The trains were late again this morning.", "The trains were on time today."
ASKED = MappingProxyType(
    {
        "tagging": ("Ada", "Lovelace", "was", "born", "in", "London", "."),
        "multiple_choice": ("The glass fell off the table.", "It broke into pieces.", "It was very thirsty."),
        "qa": ("Where was Ada Lovelace born?", "Ada Lovelace was born in London in 1815."),
    }
)
"""By family: words; a prompt and its choices; a question and its context."""
INPUTS = MappingProxyType(
    {
        "classification": 'inputs = tokenizer({texts}, return_tensors="pt")',
        "tagging": 'words = [{texts}]\ninputs = tokenizer(words, is_split_into_words=True, return_tensors="pt")',
        "multiple_choice": (
            "prompt, *choices = {texts}\n"
            'inputs = tokenizer([prompt] * len(choices), choices, padding=True, return_tensors="pt")'
        ),
        "qa": 'question, context = {texts}\ninputs = tokenizer(question, context, return_tensors="pt")',
    }
)
"""By family; other families have one text."""
PRINTS = MappingProxyType(
    {
        "classification": "print(labels[scores[0].argmax()])",
        "tagging": (
            "best = scores[0].argmax(-1)\n"
            "starts = [inputs.word_to_tokens(number).start for number in range(len(words))]\n"
            "print([(word, labels[best[start]]) for word, start in zip(words, starts)])"
        ),
        "multiple_choice": "print(choices[scores.flatten().argmax()])",
        "qa": (
            "inside = torch.tensor([part == 1 for part in inputs.sequence_ids()])\n"
            "spans = scores[0, :, None, 0].float() + scores[0, None, :, 1].float()\n"
            "best = spans.masked_fill(~(inside[:, None] & inside).triu(), -torch.inf).argmax().item()\n"
            "first, last = (inputs.token_to_chars(token) for token in divmod(best, len(inside)))\n"
            "print(context[first.start : last.end].strip())"
        ),
    }
)
"""By family, from `scores`: `[sequences, outputs]`, or `[sequences, length, outputs]` for tokens."""
CHOICES_APART = "{key: value.unsqueeze(0) for key, value in inputs.items()}"
"""The inputs of a class of transformers for multiple choice: `[examples, choices, length]`."""


def shown_task(manifest: Manifest) -> TaskPart:
    """The task that the card asks about: the first that has answers."""
    return next((task for task in manifest.tasks if task.family in PRINTS), manifest.tasks[0])


def texts_of(manifest: Manifest) -> list[str]:
    """What is asked: the texts that the package has an answer to, or those that it would be asked."""
    if manifest.example is not None:
        return manifest.example.texts
    task = shown_task(manifest)
    if task.family == "classification":
        return [FIRST, SECOND] if _is_pair(manifest, task) else [FIRST]
    return list(ASKED.get(task.family, (FIRST,)))


def asking(manifest: Manifest) -> str:
    """Lines that make `inputs` of the texts."""
    texts = ", ".join(json.dumps(text, ensure_ascii=False) for text in texts_of(manifest))
    return INPUTS.get(shown_task(manifest).family, INPUTS["classification"]).format(texts=texts)


def printing(manifest: Manifest) -> str:
    """Lines that print the answer that `scores` hold; none where there is no answer."""
    return PRINTS.get(shown_task(manifest).family, "")


def printed(manifest: Manifest) -> str | None:
    """What the lines print; None where that is not known."""
    if manifest.example is None:
        return None
    answer = manifest.example.answer
    return answer if isinstance(answer, str) else str(list(zip(manifest.example.texts, answer, strict=True)))


def _is_pair(manifest: Manifest, task: TaskPart) -> bool:
    if task.texts is not None:
        return task.texts > 1
    own = manifest.recipe.get("tasks", {}).get(task.name)
    if own is None and task.name in REGISTRY:
        return len(REGISTRY[task.name].fields) > 1
    return bool((own or {}).get("pair"))
