"""The peer `infinity-emb`, in a virtual environment of its own that stays in the cache."""

import hashlib
import shutil
import subprocess
import venv
from pathlib import Path

from optimum.onnxruntime import ORTModelForFeatureExtraction, ORTQuantizer
from optimum.onnxruntime.configuration import AutoQuantizationConfig

from lowres_stilts.storage import cache_dir, write_folder

PINS = (
    "infinity-emb[server,torch,optimum]==0.0.78",
    "click==8.1.8",  # its command line breaks with click 8.2
    "optimum==2.1.0",
    "optimum-onnx[onnxruntime]==0.1.0",
    "onnxruntime==1.31.1",
    "sentence-transformers==3.4.1",
    "torch==2.13.0",
    "transformers==4.57.6",
)


def infinity_environment(scratch: Path, model: Path) -> dict[str, str]:
    """Additions to its environment; what it optimizes goes to a place of each model's own."""
    return {"DO_NOT_TRACK": "1", "HF_HUB_OFFLINE": "1", "HF_HOME": str(scratch / f"{model.name}-optimized")}


def infinity_command() -> Path:
    """Its command line, installed where it is not yet."""
    name = hashlib.sha256("\n".join(PINS).encode()).hexdigest()[:12]
    folder = cache_dir() / "benchmarks" / f"infinity-{name}"
    ready = folder / "ready"
    if not ready.exists():
        shutil.rmtree(folder, ignore_errors=True)
        venv.create(folder, with_pip=True)
        # torch first: with one in place, nothing asks for another build.
        torch = next(pin for pin in PINS if pin.startswith("torch=="))
        for wanted in ([torch], list(PINS)):
            subprocess.run([folder / "bin" / "python", "-m", "pip", "install", "--quiet", *wanted], check=True)
        ready.touch()
    return folder / "bin" / "infinity_emb"


def infinity_model(model: Path, *, quantized: bool) -> Path:
    """The model with an ONNX file beside it, as its optimum engine wants: float32, or Optimum's dynamic int8."""
    folder = cache_dir() / "benchmarks" / f"{model.name}-{'int8' if quantized else 'float32'}"
    if folder.exists():
        return folder

    def write(target: Path) -> None:
        shutil.copytree(model, target, dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.safetensors"))
        ORTModelForFeatureExtraction.from_pretrained(model, export=True).save_pretrained(target)
        if quantized:
            settings = AutoQuantizationConfig.avx512_vnni(is_static=False, per_channel=False)
            quantizer = ORTQuantizer.from_pretrained(target, file_name="model.onnx")
            quantizer.quantize(save_dir=target, quantization_config=settings)
            (target / "model.onnx").unlink()

    folder.parent.mkdir(parents=True, exist_ok=True)
    write_folder(folder, write)
    return folder


def infinity_arguments(port: int, engine: str) -> list[str]:
    """Its command line on one engine; everything else is its default.

    The model is the working directory: its optimum engine finds the ONNX file of a local model in no other way.
    """
    arguments = ["v2", "--model-id", ".", "--served-model-name", "model", "--engine", engine]
    return [
        str(infinity_command()), *arguments, "--device", "cpu", "--port", str(port), "--host", "127.0.0.1",
        "--no-vector-disk-cache", "--url-prefix", "/v1", "--pooling-method", "mean",
    ]  # fmt: skip
