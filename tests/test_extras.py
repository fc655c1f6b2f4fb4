import pytest

from lowres_stilts.errors import MissingExtraError
from lowres_stilts.extras import naming_extras


def test_a_missing_library_names_its_extra():
    message = r"torch is not installed: pip install 'lowres-stilts\[train\]'"
    with pytest.raises(MissingExtraError, match=message), naming_extras():
        raise ModuleNotFoundError("No module named 'torch.nn'", name="torch.nn")


def test_a_missing_library_of_no_extra_stays_as_it_is():
    with pytest.raises(ModuleNotFoundError, match="surprise"), naming_extras():
        raise ModuleNotFoundError("No module named 'surprise'", name="surprise")
