"""The processes that train one run together, as `accelerate launch` starts them.

Each takes its share of every update's batches, and gradients are summed, so that all make the update that one
process would make. The first of them is *main*: it alone evaluates and writes.
"""

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from lowres_stilts.errors import RunError, UsageError

# torch and accelerate take seconds to import, which a process that is alone need not wait for.
if TYPE_CHECKING:
    from torch import Tensor

T = TypeVar("T")
PATIENCE = timedelta(days=30)
"""How long a process waits for another: main may evaluate for days."""
ENDED = "lowres-stilts/ended"
"""Key of the number of processes that have failed, in the store that all share."""


@dataclass(frozen=True)
class Team:
    """One process among all of a run. In a team of one, nothing here does anything.

    Every process must call the methods that talk to the others in the same order.

    Raises:
        RunError: of these methods: another process has ended.
    """

    rank: int = 0
    size: int = 1

    @property
    def is_main(self) -> bool:
        """Whether this process evaluates and writes."""
        return self.rank == 0

    def share(self, items: NDArray[np.int64]) -> NDArray[np.int64]:
        """This process's part of them. Batches are sorted by length, so neighbours go to different processes."""
        return items[self.rank :: self.size]

    def main_first(self, make: Callable[[], T]) -> T:
        """What `make` makes in each process; main's files are there when the others begin."""
        if not self.is_main:
            self.wait()
            return make()
        made = make()
        self.wait()
        return made

    def from_main(self, make: Callable[[], T]) -> T:
        """What `make` makes in main, the only one to call it, for all processes."""
        if self.size == 1:
            return make()
        from accelerate.utils import broadcast_object_list  # noqa: PLC0415

        told: list[Any] = [make() if self.is_main else None]
        with _noticing_ends():
            broadcast_object_list(told)
        found: T = told[0]
        return found

    def weights_of_main(self, weights: Mapping[str, "Tensor"]) -> Mapping[str, "Tensor"]:
        """Main's values of tensors that all processes have."""
        if self.size == 1:
            return weights
        from accelerate.utils import broadcast  # noqa: PLC0415

        with _noticing_ends():
            return {name: broadcast(value.clone()) for name, value in weights.items()}

    def summed(self, values: "Tensor") -> "Tensor":
        """The sum over all processes."""
        if self.size == 1:
            return values
        from accelerate.utils import reduce  # noqa: PLC0415

        with _noticing_ends():
            found: Tensor = reduce(values, reduction="sum")
        return found

    def wait(self) -> None:
        """Until all processes are here."""
        if self.size > 1:
            import torch  # noqa: PLC0415

            # On the CPU: CUDA's barrier would keep the GPU busy.
            self.summed(torch.zeros(1))

    def draw_apart(self, seed: int, update: int) -> None:
        """Gives a process other than main dropout of its own, which an interruption does not change."""
        if not self.is_main:
            import torch  # noqa: PLC0415

            torch.manual_seed(int(np.random.SeedSequence([seed, update, self.rank]).generate_state(1)[0]))


ALONE = Team()


def sum_gradients(team: Team, weights: Sequence["Tensor"], loss: float | None) -> float | None:
    """Sums gradients over all processes, in place and in one message.

    Args:
        team: who.
        weights: those that learn; one without gradient in all processes keeps none.
        loss: of this process's share; None where memory ran out.

    Returns:
        The sum of the losses; None where memory ran out in any process: then gradients are of no use.

    Raises:
        RunError: another process has ended.
    """
    if team.size == 1:
        return loss
    import torch  # noqa: PLC0415

    learned = [weight.grad is not None for weight in weights]
    told = torch.tensor([loss is None, loss or 0.0, *learned], dtype=torch.float32, device=weights[0].device)
    gradients = [torch.zeros_like(weight) if weight.grad is None else weight.grad for weight in weights]
    sums = team.summed(torch.cat([told, *(gradient.flatten() for gradient in gradients)]))
    full, total, *learned_by = sums[: len(told)].tolist()
    if full:
        return None
    pieces = torch.split(sums[len(told) :], [weight.numel() for weight in weights])
    for weight, piece, learners in zip(weights, pieces, learned_by, strict=True):
        weight.grad = piece.view_as(weight) if learners else None
    return float(total)


@contextlib.contextmanager
def joined() -> Iterator[Team]:
    """This process in the team of those that a launcher started together; in a team of one without launcher.

    Where one fails, all end, and only the first to fail tells why: the others end here, with exit code 1.

    Raises:
        UsageError: there are more processes than GPUs.
    """
    size = int(os.environ.get("WORLD_SIZE", "1")) if "LOCAL_RANK" in os.environ else 1
    if size == 1:
        yield ALONE
        return
    team = _join()
    try:
        yield team
        team.wait()
    except BaseException:
        if not _is_first_to_fail():
            # At once: gloo's threads may abort a process that leaves in order while its peers are gone.
            os._exit(1)
        raise
    import torch  # noqa: PLC0415

    torch.distributed.destroy_process_group()


def _join() -> Team:
    # Before torch is there: it would warn, with a stack of its own, where main has ended first.
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
    import torch  # noqa: PLC0415
    from accelerate import PartialState  # noqa: PLC0415

    cuda, gpus = torch.cuda.is_available(), torch.cuda.device_count()
    if cuda and int(os.environ["LOCAL_RANK"]) == gpus:  # the first without one speaks for all
        raise UsageError(
            f"more processes than this machine's GPUs: set --num_processes to {gpus} at most, or "
            "CUDA_VISIBLE_DEVICES= to train on the CPU"
        )
    # Gradients go from GPU to GPU; the rest is on the CPU, where waiting takes nothing.
    backend = "cuda:nccl,cpu:gloo" if cuda else "gloo"
    state = PartialState(cpu=not cuda, backend=backend, timeout=PATIENCE)
    return Team(state.process_index, state.num_processes)


@contextlib.contextmanager
def _noticing_ends() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        from lowres_stilts.encoder.device import is_out_of_memory  # noqa: PLC0415 - torch

        if is_out_of_memory(error):
            raise
        raise RunError("another process of this run has ended; go on with --resume") from error


def _is_first_to_fail() -> bool:
    from torch.distributed import distributed_c10d  # noqa: PLC0415

    try:
        store = distributed_c10d._get_default_store()  # noqa: SLF001 - the one that all processes share has no other name
        return bool(store.add(ENDED, 1) == 1)
    except RuntimeError:  # its keeper has ended
        return False
