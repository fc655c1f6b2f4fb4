"""Features that workers with caches of their own have from each other."""

import os
from pathlib import Path

import pytest

from lowres_stilts.study.ray_shelf import RayShelf
from lowres_stilts.tasks.cache import cached_features, features_from
from tests.tasks.test_cache import MANY
from tests.tiny import tiny_tokenizer

pytestmark = pytest.mark.slow  # Ray takes its time to start


class Counted:
    """Examples that know how often somebody went through them: once to name them, and again to tokenize them."""

    def __init__(self, examples):
        self.examples, self.passes = examples, 0

    def __iter__(self):
        self.passes += 1
        return iter(self.examples)


def _features_in(cache, shelf, family):
    """What a worker with this cache does; returns its files and how often it went through the examples."""
    os.environ["LOWRES_STILTS_CACHE"] = cache
    task, examples = MANY[family]
    counted = Counted(examples)
    with features_from(shelf):
        cached_features(task, counted, tiny_tokenizer(), 16)
    (folder,) = (Path(cache) / "features").iterdir()
    return {path.name: path.read_bytes() for path in folder.iterdir()}, counted.passes


@pytest.fixture(scope="module")
def ray():
    ray = pytest.importorskip("ray")
    ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False, logging_level="error")
    yield ray
    ray.shutdown()


@pytest.mark.parametrize("family", MANY)
def test_a_worker_with_another_cache_does_not_tokenize_again(ray, tmp_path, family):
    shelf = RayShelf.start()
    work = ray.remote(_features_in)
    first, passes = ray.get(work.remote(str(tmp_path / "a"), shelf, family))
    assert passes == 2
    second, passes = ray.get(work.remote(str(tmp_path / "b"), shelf, family))
    assert passes == 1
    assert second == first


def test_a_worker_whose_shelf_is_gone_tokenizes_for_itself(ray, tmp_path):
    shelf = RayShelf.start()
    work = ray.remote(_features_in)
    first, _ = ray.get(work.remote(str(tmp_path / "a"), shelf, "tagging"))
    ray.kill(shelf.keeper)
    second, passes = ray.get(work.remote(str(tmp_path / "b"), shelf, "tagging"))
    assert (second, passes) == (first, 2)
