"""Every task that the Hub's own client knows, asked of this service (`pip install huggingface_hub`).

SERVICE is where the service listens; KEY an API key where it wants one. A client's model is the address of a
route, with the adapter in the query.
"""

import os

from huggingface_hub import InferenceClient, get_session

SERVICE = os.environ.get("SERVICE", "http://127.0.0.1:8000")
KEY = os.environ.get("KEY", "none")


def client(route: str, adapter: str) -> InferenceClient:
    """Of one route and adapter."""
    return InferenceClient(model=f"{SERVICE}/{route}?adapter={adapter}", token=KEY)


answer = get_session().get(f"{SERVICE}/info", headers={"Authorization": f"Bearer {KEY}"})
answer.raise_for_status()
bundles = answer.json()["bundles"]
# Of those that classify, one that takes a text and no pair.
adapters = {
    own["family"]: own["name"] for bundle in bundles for own in bundle["adapters"] if own.get("texts") != 2
}

encoder = client("feature-extraction", bundles[0]["name"])
print("feature extraction:", encoder.feature_extraction("Habari za asubuhi").shape)
if name := adapters.get("classification"):
    best = client("text-classification", name).text_classification("Paka amelala.")[0]
    print(f"{name}: {best.label} {best.score:.3f}")
if name := adapters.get("tagging"):
    for entity in client("token-classification", name).token_classification("Amina anaishi Mombasa."):
        print(f"{name}: {entity.word} {entity.entity_group} {entity.score:.3f}")
if name := adapters.get("qa"):
    found = client("question-answering", name).question_answering(
        question="Amina anaishi wapi?", context="Amina anaishi Mombasa."
    )
    best = found[0] if isinstance(found, list) else found
    print(f"{name}: {best.answer} {best.score:.3f}")
