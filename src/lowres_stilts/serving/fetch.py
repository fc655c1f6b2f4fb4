"""Adapters in the bundle's format from the Hugging Face Hub: fetched whole and checked, or not at all."""

import asyncio
import shutil
import tempfile
from pathlib import Path

from lowres_stilts.errors import BundleError, UsageError
from lowres_stilts.extras import install_command
from lowres_stilts.runtime.adapter_folder import DESCRIPTION
from lowres_stilts.runtime.adapters import LARGEST
from lowres_stilts.runtime.manifest import SUFFIX
from lowres_stilts.runtime.sums import verify_sums
from lowres_stilts.serving.watch import adapter_name
from lowres_stilts.sums import SUMS


async def fetch_adapter(repo: str, revision: str, place: Path) -> str:
    """Downloads an adapter at one commit, checks its sums, and moves it into the watched folder; its name.

    Raises:
        UsageError: that is no name of a repository.
        BundleError: it holds no sound adapter of a bundle.
        PackageError: the Hub cannot be asked.
    """
    return await asyncio.to_thread(_fetch, repo, revision, place)


def _fetch(repo: str, revision: str, place: Path) -> str:
    try:
        from huggingface_hub import HfApi, hf_hub_download  # noqa: PLC0415

        from lowres_stilts.hub.remote import PATIENCE, check_name, hub_errors  # noqa: PLC0415
    except ImportError as error:
        raise UsageError(f"{error.name} is not installed here; {install_command('serve')}") from None
    check_name(repo)
    place.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=".", suffix=".tmp", dir=place))
    try:
        with hub_errors(repo, revision):
            found = HfApi().model_info(repo, revision=revision, files_metadata=True, timeout=PATIENCE)
            wanted = {file.rfilename: file.size or 0 for file in found.siblings or [] if _belongs(file.rfilename)}
            if sum(wanted.values()) > LARGEST:
                raise BundleError(f"{repo}: larger than {LARGEST // 10**6} MB, which no adapter is")
            for name in wanted:
                hf_hub_download(repo, name, revision=found.sha, local_dir=temporary)
        shutil.rmtree(temporary / ".cache", ignore_errors=True)
        verify_sums(temporary)
        own = adapter_name(temporary)
        if own is None:
            raise BundleError(
                f"{repo}: holds no single adapter of a bundle; `lowres-stilts export --onto` writes one"
            )
        return _put(temporary, place / own)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _belongs(name: str) -> bool:
    return "/" not in name and (name in {DESCRIPTION, SUMS} or name.endswith(SUFFIX))


def _put(folder: Path, to: Path) -> str:
    """Moves a folder, in the place of a former one."""
    folder.chmod(0o755)
    if to.exists():
        former = folder.with_name(f"{folder.name}.old")
        to.rename(former)
        folder.rename(to)
        shutil.rmtree(former, ignore_errors=True)
    else:
        folder.rename(to)
    return to.name
