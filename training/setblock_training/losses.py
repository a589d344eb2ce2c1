"""Losses of checkpoints on held-out answers: next token, and masked tokens by how much of a block is masked.

    python -m setblock_training.losses --data build build/sbd.pt build/twin.pt

Every checkpoint sees the same blocks. Means in nats; the last line is JSON.
"""

import argparse
import json
from pathlib import Path
from random import Random

import torch
from tokenizers import Tokenizer

from .checkpoint import load_checkpoint
from .documents import encode, read_documents
from .layout import Rows, add_block, clean_rows
from .loss import sbd_sums
from .model import LanguageModel, ModelConfig
from .tokenizer import MASK
from .train import mean_losses, micro_batches

BLOCK_LENGTH = 8
MASKED = (1, 2, 4, 6, 8)  # tokens of a block
ROWS_MAX = 3072


def masked_part(tokens: list[int], start: int, masked: int, random: Random) -> Rows:
    """The clean text, and its answer in blocks of which `masked` tokens each are masked."""
    rows = clean_rows(tokens, start, 0.0, random)
    for block_start in range(start, len(tokens), BLOCK_LENGTH):
        hidden = set(random.sample(range(BLOCK_LENGTH), masked))
        add_block(rows, tokens, block_start, [i not in hidden for i in range(BLOCK_LENGTH)], MASK)
    return rows


@torch.no_grad()
def losses(model: LanguageModel, documents: list[tuple[list[int], int]]) -> dict[str, float]:
    measured: dict[str, float] = {}
    for masked in MASKED:
        random = Random(masked)
        sequences = [masked_part(tokens, start, masked, random) for tokens, start in documents]
        means = mean_losses([sbd_sums(model, batch) for batch in micro_batches(sequences, ROWS_MAX)])
        measured["next"] = round(means["next"], 4)  # the same whatever is masked
        measured[f"masked {masked}/{BLOCK_LENGTH}"] = round(means["masked"], 4)
    return measured


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoints", type=Path, nargs="+")
    parser.add_argument("--data", type=Path, required=True, help="folder written by setblock_training.corpus")
    parser.add_argument("--documents", type=int, default=400, help="held-out documents, evenly spread")
    arguments = parser.parse_args()
    tokenizer = Tokenizer.from_file(str(arguments.data / "tokenizer.json"))
    read = read_documents(arguments.data / "validation.jsonl")
    results = {}
    for path in arguments.checkpoints:
        state = load_checkpoint(path)
        config = ModelConfig(**state["config"])
        model = LanguageModel(config).eval()
        model.load_state_dict(state["model"])
        encoded = [encode(tokenizer, document) for document in read[:: max(1, len(read) // arguments.documents)]]
        fitting = [(tokens, start) for tokens, start in encoded if len(tokens) <= config.max_position_embeddings]
        results[path.stem] = losses(model, fitting)
        print(path.stem, results[path.stem], flush=True)
    print(json.dumps({"documents": len(fitting), "losses": results}))


if __name__ == "__main__":
    main()
