"""Writes a bundle, which was checked against torch first."""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from lowres_stilts.export.assemble import gather, write_bundle, write_manifest
from lowres_stilts.export.gate import Gate, Tests
from lowres_stilts.export.presets import EXACT, Storage
from lowres_stilts.export.sources import open_packages
from lowres_stilts.runtime.bundle import Bundle
from lowres_stilts.runtime.manifest import Manifest
from lowres_stilts.storage import require_new, scratch_folder, using_cache, write_folder


@using_cache()
def export_bundle(
    places: Sequence[Path],
    output: Path,
    *,
    storage: Storage,
    words: Mapping[str, Mapping[str, float]] | None = None,
    vocabulary: int = 0,
    tests: Tests | None = None,
    tolerance: float = 0.5,
    say: Callable[[str], object] = lambda _: None,
) -> Manifest:
    """Writes a bundle of adapter packages, or of finished runs, into a new folder.

    Args:
        places: folders of packages or runs, all with the same base.
        output: the bundle's folder; it must not exist.
        storage: how weights are stored.
        words: frequencies by language: the vocabulary is cut to what they need.
        vocabulary: how many pieces stay then.
        tests: gives the evaluation data of an adapter's task; without it only graphs are compared.
        tolerance: points that the mean of all scores may lose against float32.
        say: told of every step.

    Raises:
        UsageError: the folder exists.
        PackageError: a package is damaged, or they have different bases.
        ExportError: a graph differs from torch, or scores fall too far; nothing is written.
        RunError: the folder, or one for temporary files, cannot be written.
    """
    require_new(output)
    packages = open_packages(places)
    say(f"base {packages[0].manifest.base.id}, {len(packages)} packages")
    material = gather(packages, words, vocabulary)
    gate = Gate(material, tests, tolerance, calibrate=storage.is_static, say=say)
    found: list[Manifest] = []

    def fill(folder: Path) -> None:
        say("float32 graphs against torch")
        with contextlib.nullcontext(folder) if storage.is_exact else scratch_folder() as exact:
            manifest = write_bundle(exact, material, EXACT)
            parity = gate.graphs(Bundle.load(exact))
        if not storage.is_exact:
            say(f"{storage.quantize} graphs")
            manifest = write_bundle(folder, material, storage, ranges=gate.ranges, parity=parity)
        bundle = Bundle.load(folder)
        parity |= gate.quantized(bundle) | gate.scores(bundle)
        found.append(manifest.model_copy(update={"preset": storage.preset, "parity": parity}))
        write_manifest(folder, found[0])

    write_folder(output, fill)
    return found[0]
