"""Writes a model folder: Hugging Face weights, tokenizer, and the facts the model builder needs (`setblock.source.json`).

    python -m setblock_training.export --checkpoint build/sbd.pt --tokenizer build --out ../models/setblock-nano
"""

import argparse
import json
import shutil
from pathlib import Path

import torch

from .checkpoint import export_hf, load_checkpoint
from .layout import BLOCK_LENGTH_MAX
from .model import LanguageModel, ModelConfig
from .tokenizer import BOS, END, EOS, MASK, PAD


def source_facts(model_id: str, context_length: int, provenance: dict[str, object]) -> dict[str, object]:
    return {
        "id": model_id,
        "name": model_id,
        "maskTokenId": MASK,
        "bosTokenId": BOS,
        "eosTokenIds": [EOS, END],
        "padTokenId": PAD,
        "contextLength": context_length,
        "maxBlockLength": BLOCK_LENGTH_MAX,
        "defaults": {"mode": "verified", "gamma": 0.1, "rule": "prefix", "blockLength": 6},
        "provenance": provenance,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--tokenizer", type=Path, required=True, help="folder with tokenizer.json and tokenizer_config.json")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--id", default="setblock-nano")
    arguments = parser.parse_args()
    state = load_checkpoint(arguments.checkpoint)
    model = LanguageModel(ModelConfig(**state["config"]))
    model.load_state_dict(state["model"])
    export_hf(arguments.out, model, BOS, END, PAD, torch.bfloat16)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(arguments.tokenizer / name, arguments.out / name)
    provenance = {
        "createdBy": "setblock_training",
        "license": "Apache-2.0",
        "sbdTokens": state["seen"],
        "steps": state["step"],
        "parameters": sum(p.numel() for p in model.parameters()),
    }
    facts = source_facts(arguments.id, model.config.max_position_embeddings, provenance)
    (arguments.out / "setblock.source.json").write_text(json.dumps(facts, indent=2) + "\n")


if __name__ == "__main__":
    main()
