"""The frozen encoder: found, quantized, loaded."""
