"""Training checkpoints (resumable) and export as a Hugging Face folder."""

import dataclasses
import json
import os
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from .model import LanguageModel, ModelConfig


def save_checkpoint(path: Path, state: dict[str, object]) -> None:
    """Written beside the target and renamed, so an interrupted run never leaves half a checkpoint."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    torch.save(state, partial)
    os.replace(partial, path)


def load_checkpoint(path: Path) -> dict:
    return torch.load(path, map_location="cpu", weights_only=True)


def hf_config(config: ModelConfig, bos: int, eos: int, pad: int) -> dict[str, object]:
    fields = {k: v for k, v in dataclasses.asdict(config).items() if k != "qk_norm"}
    return {
        "architectures": ["Qwen3ForCausalLM" if config.qk_norm else "LlamaForCausalLM"],
        "model_type": "qwen3" if config.qk_norm else "llama",
        **fields,
        "hidden_act": "silu",
        "attention_bias": False,
        "mlp_bias": False,
        "bos_token_id": bos,
        "eos_token_id": eos,
        "pad_token_id": pad,
    }


def read_hf_config(folder: Path) -> ModelConfig:
    raw = json.loads((folder / "config.json").read_text())
    known = {field.name for field in dataclasses.fields(ModelConfig)}
    return ModelConfig(qk_norm=raw["model_type"] == "qwen3", **{k: v for k, v in raw.items() if k in known})


def export_hf(folder: Path, model: LanguageModel, bos: int, eos: int, pad: int, dtype: torch.dtype) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    weights = {name: value.detach().to(dtype).contiguous() for name, value in model.state_dict().items()}
    save_file(weights, str(folder / "model.safetensors"), metadata={"format": "pt"})
    (folder / "config.json").write_text(json.dumps(hf_config(model.config, bos, eos, pad), indent=2) + "\n")


def load_hf(folder: Path) -> LanguageModel:
    model = LanguageModel(read_hf_config(folder))
    weights = load_file(str(folder / "model.safetensors"))
    model.load_state_dict({name: value.float() for name, value in weights.items()})
    return model.eval()
