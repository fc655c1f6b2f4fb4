"""How many examples of each task an epoch of several tasks has."""

from collections.abc import Mapping


def examples_per_epoch(
    sizes: Mapping[str, int],
    *,
    cap: int | None = None,
    temperature: float = 1.0,
    weights: Mapping[str, float] | None = None,
) -> dict[str, int]:
    """Examples of each task in one epoch, at least one of each.

    Shares are in proportion to `min(n, cap) ** (1 / temperature)` (Phang et al. 2020, section 3.3, after Raffel et
    al. 2020), or to the weights; an epoch has as many examples as the capped tasks together. A task alone is
    taken as a whole.

    Args:
        sizes: training examples by task.
        cap: count no more of any task.
        temperature: 1 for shares by size; the larger, the more equal.
        weights: shares by task, in the place of sizes.
    """
    if len(sizes) == 1:
        return dict(sizes)
    capped = {task: min(size, cap or size) for task, size in sizes.items()}
    powers = {task: size ** (1 / temperature) for task, size in capped.items()}
    shares = dict(weights) if weights else powers
    total, whole = sum(capped.values()), sum(shares.values())
    return {task: max(1, round(total * shares[task] / whole)) for task in sizes}
