from lowres_stilts.study import languages
from lowres_stilts.study.languages import by_distance, by_resources, language_of, source_of_metadata
from lowres_stilts.tasks.catalog import REGISTRY


def test_english_is_nearest_and_swahili_far():
    assert language_of("en").distance == 0
    assert by_distance(["sw", "de", "en", "qu"]) == ["en", "de", "sw", "qu"]


def test_resource_levels():
    assert [language_of(code).level for code in ("en", "ur", "qu")] == ["high", "medium", "low"]
    assert by_resources(["qu", "ur", "xx", "en", "sw"]) == ["en", "ur", "sw", "qu", "xx"]


def test_writing_direction():
    leftward = {
        code for code in ("ar", "fa", "he", "ur", "sw", "zh", "urd_Arab") if language_of(code).right_to_left
    }
    assert leftward == {"ar", "fa", "he", "ur", "urd_Arab"}


def test_every_language_of_xtreme_is_known():
    codes = {
        code
        for name in ("xnli", "panx", "udpos", "tatoeba", "tydiqa", "xcopa")
        for code in REGISTRY[name].languages
    }
    unknown = {code for code in codes if language_of(code).level is None or language_of(code).distance is None}
    assert not unknown
    assert all(language_of(code).name != code for code in codes)


def test_nonsense_is_no_error():
    found = language_of("not a language")
    assert (found.level, found.distance, found.right_to_left) == (None, None, False)


def test_without_the_package_it_says_so(monkeypatch):
    monkeypatch.setattr(languages, "SOURCE", "no-such-package")
    assert "not installed" in source_of_metadata()
