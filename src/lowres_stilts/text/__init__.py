"""Text to token ids and tags back to words, the same for training and for inference."""
