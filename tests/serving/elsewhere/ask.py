"""Asks a service through clients of an environment of their own, and prints what they got as JSON."""

import json
import sys

import litellm
from haystack import Document
from haystack_integrations.components.embedders.huggingface_api import (
    HuggingFaceAPIDocumentEmbedder,
    HuggingFaceAPITextEmbedder,
)
from haystack_integrations.components.rankers.huggingface_api import HuggingFaceTEIRanker
from huggingface_hub import InferenceClient
from huggingface_hub.errors import HfHubHTTPError
from llama_index.embeddings.text_embeddings_inference import TextEmbeddingsInference

TEXTS = ["glad sun", "sad rain grey", "mvua inanyesha"]
QUERY = "sad rain"
LONG = "glad " * 300


def llama_index(url):
    client = TextEmbeddingsInference(model_name="bundle", base_url=url)
    adapted = TextEmbeddingsInference(model_name="bundle", base_url=url, endpoint="/embed?adapter=first")
    return {
        "vectors": client.get_text_embedding_batch(TEXTS),
        "query": client.get_query_embedding(TEXTS[0]),
        "long": client.get_text_embedding(LONG),
        "adapter": adapted.get_text_embedding(TEXTS[0]),
    }


def haystack(url):
    given = {"api_type": "text_embeddings_inference", "api_params": {"url": url}, "token": None}
    documents = [Document(content=text) for text in TEXTS]
    embedder = HuggingFaceAPIDocumentEmbedder(**given, normalize=True, progress_bar=False)
    ranked = HuggingFaceTEIRanker(url=url, token=None, top_k=3).run(query=QUERY, documents=documents)["documents"]
    return {
        "vectors": [document.embedding for document in embedder.run(documents)["documents"]],
        "query": HuggingFaceAPITextEmbedder(**given, normalize=True).run(TEXTS[0])["embedding"],
        "long": HuggingFaceAPITextEmbedder(**given, normalize=True).run(LONG)["embedding"],
        "ranked": [(document.content, document.score) for document in ranked],
    }


def lite_llm(url):
    known = {"api_key": "none", "api_base": f"{url}/v1", "input": TEXTS}
    ranked = litellm.rerank("huggingface/bundle", QUERY, TEXTS, api_base=url, api_key="none").results
    try:
        litellm.embedding(**{**known, "model": "openai/nobody"})
        refused = None
    except litellm.NotFoundError as error:
        refused = str(error)
    hub = {"model": "huggingface/bundle", "api_base": url, "api_key": "none", "input_type": "feature-extraction"}
    return {
        "vectors": [one["embedding"] for one in litellm.embedding(**known, model="openai/bundle").data],
        "hub": [one["embedding"] for one in litellm.embedding(**hub, input=TEXTS).data],
        "ranked": [(TEXTS[one["index"]], one["relevance_score"]) for one in ranked],
        "refused": refused,
    }


def hub(url):
    def at(path):
        return InferenceClient(base_url=url + path)

    try:
        at("/embed").feature_extraction(LONG)
        refused = None
    except HfHubHTTPError as error:
        refused = [error.response.status_code, str(error)]
    vectors = at("").feature_extraction(TEXTS, dimensions=64, truncate=True, encoding_format="float")
    tags = at("/token-classification?adapter=first-intermediate-tags").token_classification(TEXTS[0])
    return {
        "vectors": vectors.tolist(),
        "similarity": at("/similarity").sentence_similarity(QUERY, other_sentences=TEXTS),
        "labels": [
            (one.label, one.score)
            for one in at("/text-classification?adapter=first").text_classification(TEXTS[0])
        ],
        "tags": [one.word for one in tags],
        "answer": at("/question-answering?adapter=second")
        .question_answering(question="good bad", context="calm tea sea")
        .answer,
        "refused": refused,
    }


if __name__ == "__main__":
    clients = {"llama_index": llama_index, "haystack": haystack, "litellm": lite_llm, "hub": hub}
    json.dump({name: ask(sys.argv[1]) for name, ask in clients.items()}, sys.stdout)
