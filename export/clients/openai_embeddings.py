"""Sentences of several languages side by side, with OpenAI's client (`pip install openai`).

SERVICE is where the service listens; KEY an API key where it wants one.
"""

import os

from openai import OpenAI

client = OpenAI(
    base_url=os.environ.get("SERVICE", "http://127.0.0.1:8000") + "/v1", api_key=os.environ.get("KEY", "none")
)
model = next(iter(client.models.list())).id
sentences = ["When does the train leave?", "Treni inaondoka saa ngapi?", "Mvua itanyesha kesho."]
vectors = [item.embedding for item in client.embeddings.create(model=model, input=sentences).data]

for sentence, vector in zip(sentences, vectors, strict=True):
    cosine = sum(a * b for a, b in zip(vectors[0], vector, strict=True))
    print(f"{cosine:.3f}  {sentence}")
