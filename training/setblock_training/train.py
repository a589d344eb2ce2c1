"""Next-token pre-training and SBD fine-tuning.

    python -m setblock_training.train --stage ntp --data build --out build/ntp.pt --tokens 20000000
    python -m setblock_training.train --stage sbd --data build --out build/sbd.pt --init build/ntp.pt --tokens 10000000

A run that was interrupted goes on from its checkpoint when the same command is given again. `--tokens` may change
between the two: the schedule (warm-up, constant, linear decay to zero) follows the tokens seen. Works on CPU and CUDA.
Every finished run appends a line to LOG.md.
"""

import argparse
import dataclasses
import json
import time
from datetime import date
from pathlib import Path

import numpy as np
import torch

from .checkpoint import load_checkpoint, save_checkpoint
from .loss import next_token_loss, sbd_loss
from .mask import BLOCK_LENGTH_MAX, BLOCK_LENGTH_MIN, doubled_mask, draw_block_length, draw_noise, scored_positions
from .model import LanguageModel, ModelConfig
from .tokenizer import MASK

LOG = Path(__file__).resolve().parent.parent / "LOG.md"
SIZES = {
    "tiny": ModelConfig(hidden_size=64, num_hidden_layers=2, head_dim=32, num_attention_heads=2,
                        num_key_value_heads=1, intermediate_size=128),
    "nano": ModelConfig(),
    "mini": ModelConfig(hidden_size=512, num_hidden_layers=10, num_attention_heads=8, num_key_value_heads=4,
                        intermediate_size=1408, max_position_embeddings=1024),
}  # fmt: skip


def learning_rate_scale(fraction: float, step: int, warmup_steps: int, decay: float) -> float:
    """Warm-up over steps, then constant, then linear to zero over the last `decay` of the tokens."""
    return min(1.0, (step + 1) / warmup_steps) * min(1.0, max(0.0, (1 - fraction) / decay))


def optimizers(model: LanguageModel, rate: float, weight_decay: float) -> list[torch.optim.Optimizer]:
    """Muon for the matrices inside the layers, AdamW for embedding and norms."""
    matrices = [p for n, p in model.named_parameters() if p.dim() == 2 and ".layers." in n]
    others = [p for n, p in model.named_parameters() if not (p.dim() == 2 and ".layers." in n)]
    return [
        torch.optim.Muon(matrices, lr=rate, weight_decay=weight_decay, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(others, lr=rate, betas=(0.9, 0.95), weight_decay=0.0),
    ]


class Batches:
    """Random crops of a token stream. (B, L) inputs and targets shifted by one."""

    def __init__(self, path: Path, batch: int, length: int, device: str) -> None:
        self.stream = np.fromfile(path, dtype=np.uint16)
        self.batch, self.length, self.device = batch, length, device

    def draw(self, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        starts = torch.randint(0, len(self.stream) - self.length - 1, (self.batch,), generator=generator).tolist()
        crops = np.stack([self.stream[s : s + self.length + 1] for s in starts]).astype(np.int64)
        tokens = torch.from_numpy(crops).to(self.device)
        return tokens[:, :-1].contiguous(), tokens[:, 1:].contiguous()


class Trainer:
    def __init__(self, arguments: argparse.Namespace) -> None:
        self.arguments = arguments
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        config = SIZES[arguments.size]
        if arguments.length:
            config = dataclasses.replace(config, max_position_embeddings=arguments.length)
        if arguments.layers:
            config = dataclasses.replace(config, num_hidden_layers=arguments.layers)
        torch.manual_seed(arguments.seed)
        self.config, self.length = config, config.max_position_embeddings
        self.model = LanguageModel(config)
        if arguments.init:
            self.model.load_state_dict(load_checkpoint(arguments.init)["model"])
        self.model.to(self.device)
        self.optimizers = optimizers(self.model, arguments.rate, arguments.weight_decay)
        self.generator = torch.Generator().manual_seed(arguments.seed)
        self.batches = Batches(arguments.data / "train.bin", arguments.batch, self.length, self.device)
        self.positions = torch.arange(self.length, device=self.device)
        lengths = range(BLOCK_LENGTH_MIN, BLOCK_LENGTH_MAX + 1) if arguments.stage == "sbd" else ()
        self.masks = {k: doubled_mask(self.length, k).to(self.device) for k in lengths}
        self.scored = {k: scored_positions(self.length, k).to(self.device) for k in lengths}
        self.step, self.seen, self.seconds = 0, 0, 0.0
        self.resume()
        self.next_token_loss = torch.compile(next_token_loss) if arguments.compile else next_token_loss
        self.sbd_loss = torch.compile(sbd_loss) if arguments.compile else sbd_loss

    def resume(self) -> None:
        if not self.arguments.out.exists():
            return
        state = load_checkpoint(self.arguments.out)
        self.model.load_state_dict(state["model"])
        for optimizer, saved in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
        self.generator.set_state(state["generator"])
        self.step, self.seen, self.seconds = state["step"], state["seen"], state["seconds"]
        print(f"resumed at step {self.step}, {self.seen / 1e6:.2f}M tokens", flush=True)

    def save(self) -> None:
        state = {
            "model": self.model.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
            "generator": self.generator.get_state(),
            "config": dataclasses.asdict(self.config),
            "step": self.step, "seen": self.seen, "seconds": self.seconds,
        }  # fmt: skip
        save_checkpoint(self.arguments.out, state)

    def losses(self) -> dict[str, torch.Tensor]:
        inputs, targets = self.batches.draw(self.generator)
        if self.arguments.stage == "ntp":
            loss = self.next_token_loss(self.model, inputs, targets, self.positions)
            return {"loss": loss, "ntp": loss}
        block_length = draw_block_length(self.generator)
        noisy, masked = draw_noise(inputs.cpu(), MASK, self.generator)
        scored = masked.to(self.device) & self.scored[block_length]
        next_sum, next_count, masked_sum, masked_count = self.sbd_loss(
            self.model, inputs, targets, noisy.to(self.device), scored, self.positions, self.masks[block_length]
        )
        loss = (next_sum + masked_sum) / (next_count + masked_count)
        return {"loss": loss, "ntp": next_sum / next_count, "masked": masked_sum / masked_count.clamp(min=1)}

    def train_step(self) -> dict[str, float]:
        arguments = self.arguments
        scale = learning_rate_scale(self.seen / arguments.tokens, self.step, arguments.warmup, arguments.decay)
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = arguments.rate * scale
        with torch.autocast(self.device, dtype=torch.bfloat16):
            losses = self.losses()
        losses["loss"].backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        for optimizer in self.optimizers:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        self.step += 1
        self.seen += arguments.batch * self.length
        return {name: float(value.detach()) for name, value in losses.items()}

    def run(self) -> None:
        averages: dict[str, float] = {}
        last_save = time.monotonic()
        while self.seen < self.arguments.tokens:
            start = time.monotonic()
            for name, value in self.train_step().items():
                averages[name] = value if name not in averages else 0.95 * averages[name] + 0.05 * value
            self.seconds += time.monotonic() - start
            if self.step % self.arguments.report == 0:
                rounded = {name: round(value, 4) for name, value in averages.items()}
                rate = int(self.seen / self.seconds)
                print(json.dumps({"step": self.step, "tokens": self.seen, **rounded, "tokensPerSecond": rate}), flush=True)
            if time.monotonic() - last_save > self.arguments.save_seconds:
                self.save()
                last_save = time.monotonic()
        self.save()
        self.log(averages)

    def log(self, averages: dict[str, float]) -> None:
        validation = self.validate()
        parts = {name: round(value, 3) for name, value in averages.items()}
        row = (
            f"| {date.today()} | {self.arguments.stage} {self.arguments.size} | {self.seen / 1e6:.1f}M | {self.step} |"
            f" {parts} | {validation:.3f} | {int(self.seen / max(self.seconds, 1e-9))} | {self.device} |\n"
        )
        if self.arguments.log:
            with self.arguments.log.open("a", encoding="utf-8") as log:
                log.write(row)
        print(row, flush=True)

    @torch.no_grad()
    def validate(self) -> float:
        """Mean next-token loss in nats over the validation stream."""
        stream = np.fromfile(self.arguments.data / "validation.bin", dtype=np.uint16).astype(np.int64)
        losses = []
        for start in range(0, len(stream) - self.length, self.length):
            crop = torch.from_numpy(stream[start : start + self.length + 1])[None].to(self.device)
            losses.append(next_token_loss(self.model, crop[:, :-1], crop[:, 1:], self.positions).item())
        return float(np.mean(losses)) if losses else float("nan")


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stage", choices=("ntp", "sbd"), required=True)
    parser.add_argument("--data", type=Path, required=True, help="folder written by setblock_training.corpus")
    parser.add_argument("--out", type=Path, required=True, help="checkpoint; training resumes from it if it exists")
    parser.add_argument("--init", type=Path, help="checkpoint whose weights start this run")
    parser.add_argument("--size", choices=tuple(SIZES), default="nano")
    parser.add_argument("--layers", type=int, help="overrides the number of layers")
    parser.add_argument("--length", type=int, help="overrides the sequence length, which is also the context length")
    parser.add_argument("--tokens", type=int, required=True, help="clean tokens to train on")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rate", type=float, default=3e-3)
    parser.add_argument("--warmup", type=int, default=60, help="steps")
    parser.add_argument("--decay", type=float, default=0.4, help="share of the tokens over which the rate falls to zero")
    parser.add_argument("--weight-decay", type=float, default=0.1)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--report", type=int, default=20)
    parser.add_argument("--save-seconds", type=float, default=240)
    parser.add_argument("--compile", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--log", type=Path, default=LOG)
    return parser


def main() -> None:
    Trainer(parser().parse_args()).run()


if __name__ == "__main__":
    main()
