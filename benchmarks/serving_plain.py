"""The plain peer of `serving.py`: FastAPI around a transformers pipeline, as its documentation shows.

Called as `serving_plain.py MODEL PORT`. The answers have OpenAI's form. One request runs at a time on all cores,
which is faster than several that take turns on them; the event loop stays free meanwhile.
"""

import sys
import threading

import numpy as np
import torch
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel
from transformers import pipeline

app = FastAPI()
running = threading.Lock()


class Asked(BaseModel):
    """OpenAI's request."""

    input: str | list[str]
    model: str = ""


@app.post("/v1/embeddings")
def embeddings(asked: Asked) -> dict:
    texts = [asked.input] if isinstance(asked.input, str) else asked.input
    with running, torch.inference_mode():
        states = [app.state.pipeline(text, truncation=True, max_length=512, return_tensors=True) for text in texts]
    vectors = [np.asarray(own[0]).mean(0) for own in states]  # one text at a time: no padding
    data = [
        {"object": "embedding", "index": at, "embedding": (vector / np.linalg.norm(vector)).tolist()}
        for at, vector in enumerate(vectors)
    ]
    return {"object": "list", "data": data, "model": asked.model, "usage": {"prompt_tokens": 0, "total_tokens": 0}}


@app.get("/health")
def health() -> dict:
    return {}


if __name__ == "__main__":
    app.state.pipeline = pipeline("feature-extraction", model=sys.argv[1], tokenizer=sys.argv[1], device="cpu")
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[2]), log_level="warning", access_log=False)
