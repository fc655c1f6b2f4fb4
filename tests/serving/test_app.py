import json
import subprocess
import sys

import pytest
from pydantic import ValidationError

from lowres_stilts.serving import schemas
from tests.serving.service import service

NO_TORCH = """
import asyncio, sys

HEAVY = {"torch", "transformers", "peft", "optimum", "onnx", "bitsandbytes", "adapters", "datasets", "pandas"}

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in HEAVY:
            raise ImportError(f"{name} is not installed here")

sys.meta_path.insert(0, Blocked())
import httpx
from lowres_stilts.serving.app import create_app
from lowres_stilts.serving.settings import Settings

async def main():
    app = create_app(Settings(bundles=[sys.argv[1]], threads=1))
    async with app._app.router.lifespan_context(app._app):
        while not app.service.is_ready:
            await asyncio.sleep(0.01)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://x") as client:
            for path, body in [
                ("/embed", {"inputs": "glad"}),
                ("/predict", {"inputs": "glad", "adapter": "first"}),
                ("/token-classification", {"inputs": "glad", "adapter": "first-intermediate-tags"}),
            ]:
                print((await client.post(path, json=body)).status_code)
            print(len((await client.get("/openapi.json")).json()["paths"]) > 10)

asyncio.run(main())
print(sorted(HEAVY & set(sys.modules)))
"""


def test_no_torch_is_needed(zoo):
    done = subprocess.run(
        [sys.executable, "-c", NO_TORCH, str(zoo.bundle)], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "200\n200\n200\nTrue\n[]\n"


def test_the_document_has_examples_that_work(plain):
    document = plain.get("/openapi.json").json()
    tried = 0
    for path, operations in document["paths"].items():
        if "post" not in operations:
            continue
        (reference,) = operations["post"]["requestBody"]["content"]["application/json"]["schema"].values()
        examples = document["components"]["schemas"][reference.rpartition("/")[2]]["examples"]
        for example in examples:
            answer = plain.post(path, example)
            is_pair = "takes one text, found a pair" in answer.text  # the only adapter here takes one
            assert answer.status_code == (422 if is_pair else 200), (path, example)
            tried += 1
        assert "example" in operations["post"]["responses"]["200"]["content"]["application/json"], path
    assert tried >= 14


def test_every_error_is_described(plain):
    document = plain.get("/openapi.json").json()
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            wanted = {"200", "429", "500", "503"} | (
                {"400", "404", "408", "413", "415", "422"} if method == "post" else set()
            )
            assert set(operation["responses"]) == wanted, path
            for status, response in operation["responses"].items():
                if status != "200":
                    schema = response["content"]["application/json"]["schema"]
                    assert schema == {"$ref": "#/components/schemas/ErrorReply"}
    assert "HTTPValidationError" not in json.dumps(document)


def test_the_document_names_keys_where_they_are_needed(zoo, tmp_path):
    from lowres_stilts.serving.keys import add_key

    key = add_key(tmp_path / "keys.yaml", "alice")
    with service(zoo.bundle, keys=str(tmp_path / "keys.yaml"), admin_keys=str(tmp_path / "keys.yaml")) as running:
        paths = running.get("/openapi.json", headers={"authorization": f"Bearer {key}"}).json()["paths"]
    assert paths["/embed"]["post"]["security"] == [{"key": []}]
    assert "401" in paths["/embed"]["post"]["responses"]
    assert paths["/health"]["get"]["security"] == []
    assert "401" not in paths["/health"]["get"]["responses"]
    assert paths["/admin/adapters/{name}"]["delete"]["parameters"][0]["name"] == "name"


@pytest.mark.parametrize("value", [1.5, "3", True, 0, -1, 21])
def test_whole_numbers(value):
    with pytest.raises(ValidationError):
        schemas.QuestionParameters.model_validate({"top_k": value})


def test_a_whole_number_may_be_written_with_a_point():
    assert schemas.QuestionParameters.model_validate({"top_k": 3.0}).top_k == 3
