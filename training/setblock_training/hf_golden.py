"""Golden fixtures of each family that the model builder knows: tiny random checkpoints saved by transformers, and its logits.

    python -m setblock_training.hf_golden --out ../gpu-worker/test-fixtures

A case is one full-sequence forward in float32 with a mask of its own: causal rows, and blocks of mask tokens whose rows see
each other. The context that positional scaling starts from is short, so that the scaling shows.
"""

import argparse
import json
import shutil
from pathlib import Path

import torch
from torch import nn
from transformers import LlamaConfig, LlamaForCausalLM, Qwen2Config, Qwen2ForCausalLM, Qwen3Config, Qwen3ForCausalLM

from .golden import rows_visible, write_empty_tokenizer
from .layout import BLOCK_LENGTH_MAX

VOCABULARY, CONTEXT = 128, 96
BOS, EOS, MASK, PAD = 1, 2, 3, 0
SHARD_BYTES = 30_000

SHAPE = {"vocab_size": VOCABULARY, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2,
         "max_position_embeddings": CONTEXT, "bos_token_id": BOS, "eos_token_id": EOS, "pad_token_id": PAD}  # fmt: skip
LLAMA3 = {"rope_type": "llama3", "rope_theta": 500_000.0, "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
          "original_max_position_embeddings": 24}  # fmt: skip
YARN = {"rope_type": "yarn", "rope_theta": 1_000_000.0, "factor": 4.0, "original_max_position_embeddings": 24}
YARN_TUNED = {**YARN, "rope_theta": 10_000.0, "beta_fast": 8.0, "beta_slow": 2.0, "mscale": 1.2, "mscale_all_dim": 0.8, "truncate": False}
LINEAR = {"rope_type": "linear", "rope_theta": 10_000.0, "factor": 2.5}

FIXTURES = {
    "hf-llama3": (LlamaForCausalLM, torch.bfloat16, LlamaConfig(
        **SHAPE, num_attention_heads=4, num_key_value_heads=2, tie_word_embeddings=True, rope_parameters=LLAMA3)),
    "hf-llama2-sharded": (LlamaForCausalLM, torch.float32, LlamaConfig(
        **SHAPE, num_attention_heads=2, num_key_value_heads=2, tie_word_embeddings=False, rope_parameters=LINEAR)),
    "hf-llama-bias": (LlamaForCausalLM, torch.bfloat16, LlamaConfig(
        **SHAPE, num_attention_heads=4, num_key_value_heads=1, tie_word_embeddings=True, attention_bias=True, mlp_bias=True,
        rope_parameters=YARN_TUNED)),
    "hf-qwen2": (Qwen2ForCausalLM, torch.float16, Qwen2Config(
        **SHAPE, num_attention_heads=8, num_key_value_heads=2, tie_word_embeddings=True, rope_parameters={"rope_type": "default", "rope_theta": 1e6})),
    "hf-qwen3": (Qwen3ForCausalLM, torch.bfloat16, Qwen3Config(
        **SHAPE, num_attention_heads=6, num_key_value_heads=2, head_dim=16, tie_word_embeddings=False, rope_parameters=YARN)),
}  # fmt: skip


def randomise(model: nn.Module, generator: torch.Generator) -> None:
    """Weights large enough that attention is far from uniform; norms away from one, biases from zero."""
    for name, parameter in model.named_parameters():
        if parameter.dim() == 2:
            parameter.data = torch.randn(parameter.shape, generator=generator) * 1.5 / parameter.shape[1] ** 0.5
        elif name.endswith("bias"):
            parameter.data = torch.randn(parameter.shape, generator=generator) * 0.3
        else:
            parameter.data = 0.7 + 0.6 * torch.rand(parameter.shape, generator=generator)
    model.tie_weights()


@torch.no_grad()
def case(model: nn.Module, name: str, start: int, clean: int, groups: list[tuple[int, int]], generator: torch.Generator) -> dict:
    """`start`: position of the first token."""
    tokens = torch.randint(8, VOCABULARY, (clean,), generator=generator).tolist()
    positions = list(range(start, start + clean))
    for seen, length in groups:
        tokens += [MASK] * length
        positions += list(range(start + seen, start + seen + length))
    visible = rows_visible(clean, groups)
    bias = torch.zeros(visible.shape).masked_fill(~visible, torch.finfo(torch.float32).min)
    output = model(input_ids=torch.tensor([tokens]), position_ids=torch.tensor([positions]), attention_mask=bias[None, None], use_cache=False)
    rows = list(range(max(0, clean - 3), len(tokens)))
    return {
        "name": name,
        "tokens": tokens,
        "positions": positions,
        "visible": ["".join("1" if v else "0" for v in row) for row in visible.tolist()],
        "rows": rows,
        "logits": [[round(value, 5) for value in output.logits[0, row].tolist()] for row in rows],
    }


def rope_rows(model: nn.Module) -> list[dict[str, object]]:
    """Cosines and sines as transformers has them, at a few positions."""
    positions = torch.tensor([[1, 23, 95]])
    cos, sin = model.model.rotary_emb(torch.zeros(1), positions)
    half = cos.shape[-1] // 2
    return [{"position": int(p), "cos": c[:half].tolist(), "sin": s[:half].tolist()} for p, c, s in zip(positions[0], cos[0], sin[0])]


def source_facts(name: str) -> dict[str, object]:
    return {
        "id": name,
        "name": name,
        "maskTokenId": MASK,
        "bosTokenId": BOS,
        "eosTokenIds": [EOS],
        "padTokenId": PAD,
        "contextLength": CONTEXT,
        "maxBlockLength": BLOCK_LENGTH_MAX,
        "defaults": {"mode": "verified", "gamma": 0.1, "rule": "strict", "blockLength": 8},
        "provenance": {"createdBy": "setblock_training.hf_golden", "license": "Apache-2.0"},
    }


def write_fixture(folder: Path, seed: int) -> None:
    kind, dtype, config = FIXTURES[folder.name]
    generator = torch.Generator().manual_seed(seed)
    model = kind(config).eval()
    randomise(model, generator)
    shutil.rmtree(folder, ignore_errors=True)
    size = SHARD_BYTES if folder.name.endswith("sharded") else 1_000_000
    model.to(dtype).save_pretrained(folder, max_shard_size=size)
    (folder / "setblock.source.json").write_text(json.dumps(source_facts(folder.name), indent=2) + "\n")
    write_empty_tokenizer(folder)
    # Read again: casting the model has rounded its rotation frequencies as well.
    model = kind.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
    golden = {
        "rope": rope_rows(model),
        "cases": [
            case(model, "causal, far from the start", 70, 20, [], generator),
            case(model, "block of 6 after 13", 0, 13, [(13, 6)], generator),
        ],
    }
    (folder / "golden.json").write_text(json.dumps(golden) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=7)
    arguments = parser.parse_args()
    for name in FIXTURES:
        write_fixture(arguments.out / name, arguments.seed)


if __name__ == "__main__":
    main()
