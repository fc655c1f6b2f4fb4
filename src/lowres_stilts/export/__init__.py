"""From adapter packages to a bundle that onnxruntime runs without torch."""
