"""The weighted mean of checkpoints of one model: weights of runs that follow each other generalise better together.

    python -m setblock_training.average --checkpoint build/first.pt 0.3 --checkpoint build/second.pt 0.7 --out build/mean.pt

Settings, steps and tokens are those of the last one. The mean is for export: no run goes on from it.
"""

import argparse
from pathlib import Path

from torch import Tensor

from .checkpoint import load_checkpoint, save_checkpoint

Weights = dict[str, Tensor]


def weighted_mean(models: list[tuple[Weights, float]]) -> Weights:
    """In float32. Shares are scaled to sum to 1. Raises ValueError where the models have different tensors."""
    names = models[0][0].keys()
    if any(weights.keys() != names for weights, _ in models):
        raise ValueError("the checkpoints are of different models")
    total = sum(share for _, share in models)
    if total <= 0 or any(share < 0 for _, share in models):
        raise ValueError("shares must not be negative, nor all 0")
    return {name: sum(weights[name].float() * (share / total) for weights, share in models) for name in names}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", nargs=2, action="append", required=True, metavar=("FILE", "SHARE"))
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    states = [(load_checkpoint(Path(file)), float(share)) for file, share in arguments.checkpoint]
    last = states[-1][0]
    mean = weighted_mean([(state["model"], share) for state, share in states])
    save_checkpoint(arguments.out, {key: last[key] for key in ("config", "step", "seen")} | {"model": mean})


if __name__ == "__main__":
    main()
