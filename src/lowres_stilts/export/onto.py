"""Writes an adapter into a folder of its own, for a bundle that is there already."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from lowres_stilts.errors import ExportError, UsageError
from lowres_stilts.export.adapters import adapter_inputs, write_adapter
from lowres_stilts.export.assemble import Material, gather, write_bundle
from lowres_stilts.export.describe import adapter_part, base_part
from lowres_stilts.export.gate import Gate, Tests
from lowres_stilts.export.presets import EXACT
from lowres_stilts.export.sources import open_packages
from lowres_stilts.runtime.adapter_folder import DESCRIPTION, AdapterFolder
from lowres_stilts.runtime.bundle import Bundle
from lowres_stilts.runtime.manifest import SUFFIX, AdapterPart
from lowres_stilts.runtime.sums import write_sums
from lowres_stilts.storage import require_new, scratch_folder, using_cache, write_folder


@using_cache()
def export_adapter(
    place: Path,
    target: Path,
    output: Path,
    *,
    tests: Tests | None = None,
    tolerance: float = 0.5,
    say: Callable[[str], object] = lambda _: None,
) -> AdapterPart:
    """Writes the adapter of a package, or of a finished run, into a new folder that the bundle can load.

    Args:
        place: folder of the package or run.
        target: the bundle's folder; it is not changed.
        output: the adapter's folder; it must not exist.
        tests: gives the evaluation data of the adapter's task; without it only graphs are compared.
        tolerance: points that the mean of its scores in the bundle may lose against float32.
        say: told of every step.

    Raises:
        UsageError: the folder exists, or the package has several adapters.
        PackageError: the package is damaged.
        BundleError: the bundle is damaged.
        ExportError: it has another base, or the adapter needs a graph of its own; or a graph differs from torch,
            or scores fall too far; nothing is written.
        RunError: the folder, or one for temporary files, cannot be written.
    """
    require_new(output)
    bundle = Bundle.load(target)
    material = gather(open_packages([place]))
    part = _only_adapter(place, bundle, material)
    gate = Gate(material, tests, tolerance, calibrate=False, say=say)

    def fill(folder: Path) -> None:
        say("float32 graphs against torch")
        with scratch_folder() as scratch:
            write_bundle(scratch, material, EXACT)
            parity = gate.graphs(Bundle.load(scratch))
        file = folder / f"{part.name}{SUFFIX}"
        write_adapter(file, adapter_inputs(material.items[0]))
        bundle.add_adapter(file, part)
        parity |= gate.scores(bundle)
        _describe(folder, material, part, parity)

    write_folder(output, fill)
    return part


def _only_adapter(place: Path, bundle: Bundle, material: Material) -> AdapterPart:
    if len(material.items) != 1:
        names = ", ".join(item.name for item in material.items)
        raise UsageError(f"{place}: --onto takes a package with one adapter, and this has {names}")
    (item,) = material.items
    base, own = bundle.manifest.base, base_part(material.base, material.encoder)
    if (base.id, base.sha256) != (own.id, own.sha256):
        raise ExportError(
            f"{place}: its base is {own.id}, with other weights than {base.id} in {bundle.folder}; "
            "export a bundle of its own"
        )
    if item.own_graph:
        raise ExportError(
            f"{place}: a {item.package.manifest.kind} module needs a graph of its own, which lies in the bundle: "
            "export the bundle anew with this package"
        )
    return adapter_part(item, material.encoder)


def _describe(folder: Path, material: Material, part: AdapterPart, parity: dict[str, Any]) -> None:
    found = AdapterFolder(format=1, base=base_part(material.base, material.encoder), adapter=part, parity=parity)
    (folder / DESCRIPTION).write_text(found.model_dump_json(indent=2) + "\n", encoding="utf-8")
    write_sums(folder)
