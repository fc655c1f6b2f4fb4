"""The inference service over bundles: HTTP on FastAPI and uvicorn, and no torch."""
