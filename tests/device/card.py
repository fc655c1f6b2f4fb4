"""Consumer cards, as far as code can see what it runs on."""

from dataclasses import dataclass

GB = 10**9


@dataclass(frozen=True)
class Model:
    """A card that can be bought."""

    name: str
    capability: tuple[int, int]
    memory: int

    @property
    def has_bf16(self) -> bool:
        """Its products compute in bfloat16."""
        return self.capability >= (8, 0)


T4 = Model("Tesla T4", (7, 5), 16 * GB)
RTX_3060 = Model("NVIDIA GeForce RTX 3060", (8, 6), 12 * GB)
RTX_4090 = Model("NVIDIA GeForce RTX 4090", (8, 9), 24 * GB)
RTX_5090 = Model("NVIDIA GeForce RTX 5090", (12, 0), 32 * GB)
MODELS = (T4, RTX_3060, RTX_4090, RTX_5090)
