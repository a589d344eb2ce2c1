"""Golden fixtures: tiny random checkpoints, the logits PyTorch gives for them and the texts the reference decoders give.

    python -m setblock_training.golden --out ../gpu-worker/test-fixtures

Each case is one full-sequence forward: tokens, their positions, which key each query sees, and the logits of some rows.
Each text is one greedy decoding by full recomputation (see decode.py): prompt, setting, tokens and forwards.
"""

import argparse
import json
from pathlib import Path

import torch

from . import decode
from .checkpoint import export_hf, load_hf
from .export import source_facts
from .model import LanguageModel, ModelConfig
from .tokenizer import BOS, END, EOS, MASK, PAD

TEXT_TOKENS = 40
CONFIGS = {
    "llama": ModelConfig(vocab_size=128, hidden_size=32, num_hidden_layers=2, num_attention_heads=4,
                         num_key_value_heads=2, head_dim=8, intermediate_size=48, max_position_embeddings=96),
    "qwen3": ModelConfig(vocab_size=128, hidden_size=24, num_hidden_layers=2, num_attention_heads=3,
                         num_key_value_heads=1, head_dim=16, intermediate_size=40, max_position_embeddings=96,
                         rope_theta=1_000_000.0, rms_norm_eps=1e-6, qk_norm=True, tie_word_embeddings=False),
}  # fmt: skip


def random_model(config: ModelConfig, seed: int) -> LanguageModel:
    """Weights large enough that attention is far from uniform; norms away from one."""
    torch.manual_seed(seed)
    model = LanguageModel(config)
    for parameter in model.parameters():
        if parameter.dim() == 2:
            torch.nn.init.normal_(parameter, 0, 1.5 / parameter.shape[1] ** 0.5)
        else:
            torch.nn.init.uniform_(parameter, 0.7, 1.3)
    return model


def rows_visible(clean: int, groups: list[tuple[int, int]]) -> torch.Tensor:
    """Causal rows first, then groups of (first clean rows seen, length), each bidirectional and blind to the others."""
    total = clean + sum(length for _, length in groups)
    visible = torch.zeros(total, total, dtype=torch.bool)
    visible[:clean, :clean] = torch.ones(clean, clean, dtype=torch.bool).tril()
    start = clean
    for seen, length in groups:
        visible[start : start + length, :seen] = True
        visible[start : start + length, start : start + length] = True
        start += length
    return visible


@torch.no_grad()
def case(model: LanguageModel, name: str, clean: int, groups: list[tuple[int, int]], generator: torch.Generator) -> dict:
    tokens = torch.randint(8, model.config.vocab_size, (clean,), generator=generator).tolist()
    positions = list(range(clean))
    for seen, length in groups:
        tokens += [MASK] * length
        positions += list(range(seen, seen + length))
    visible = rows_visible(clean, groups)
    logits = model(torch.tensor([tokens]), torch.tensor(positions), visible)[0]
    rows = list(range(max(0, clean - 3), len(tokens)))
    return {
        "name": name,
        "tokens": tokens,
        "positions": positions,
        "visible": ["".join("1" if v else "0" for v in row) for row in visible.tolist()],
        "rows": rows,
        "logits": [[round(value, 6) for value in logits[row].tolist()] for row in rows],
    }


def text(
    model: LanguageModel, mode: str, gamma: float, block_length: int, generator: torch.Generator, rule: str = "strict"
) -> dict:
    prompt = torch.randint(8, model.config.vocab_size, (9,), generator=generator).tolist()
    rest = (prompt, TEXT_TOKENS, {EOS, END}, MASK)
    if mode == "ntp":
        tokens, forwards = decode.next_token(model, *rest)
    else:
        decoder = decode.prefix if rule == "prefix" else decode.set_block
        tokens, forwards = decoder(model, *rest, gamma=gamma, block_length=block_length)
    setting = {"mode": mode, "gamma": gamma, "rule": rule, "blockLength": block_length}
    return {"prompt": prompt, **setting, "tokens": tokens, "forwards": forwards}


def write_empty_tokenizer(folder: Path) -> None:
    """Fixtures are fed with token ids; a checkpoint without these files would be refused."""
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (folder / name).write_text("{}\n")


def write_fixture(folder: Path, config: ModelConfig, seed: int) -> None:
    export_hf(folder, random_model(config, seed), BOS, END, PAD, torch.float32)
    model = load_hf(folder)
    facts = source_facts(folder.name, config.max_position_embeddings, {"createdBy": "setblock_training.golden", "license": "Apache-2.0"})
    (folder / "setblock.source.json").write_text(json.dumps(facts, indent=2) + "\n")
    write_empty_tokenizer(folder)
    generator = torch.Generator().manual_seed(seed)
    cases = [
        case(model, "causal", 20, [], generator),
        case(model, "block of 8 after 13", 13, [(13, 8)], generator),
        case(model, "groups A and B", 17, [(12, 6), (17, 6)], generator),
    ]
    settings = [("ntp", 0.0, 2), ("sbd", 0.0, 8), ("sbd", 6.0, 8), ("sbd", 10.0, 5), ("sbd", 16.0, 16)]
    texts = [text(model, *setting, generator) for setting in settings for _ in range(4)]
    # At 3.7 and 4 nats blocks become short and long again.
    prefixes = [("sbd", 0.0, 8), ("sbd", 6.0, 8), ("sbd", 12.0, 5), ("sbd", 3.7, 8), ("sbd", 4.0, 5)]
    texts += [text(model, *setting, generator, "prefix") for setting in prefixes for _ in range(4)]
    (folder / "golden.json").write_text(json.dumps({"cases": cases, "texts": texts}) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=7)
    arguments = parser.parse_args()
    for name, config in CONFIGS.items():
        write_fixture(arguments.out / f"golden-{name}", config, arguments.seed)


if __name__ == "__main__":
    main()
