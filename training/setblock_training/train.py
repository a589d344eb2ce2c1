"""Next-token pre-training and SBD fine-tuning.

    python -m setblock_training.train --stage ntp --data build --out build/ntp.pt --tokens 20000000
    python -m setblock_training.train --stage sbd --data build --out build/sbd.pt --init build/ntp.pt --tokens 20000000

Stage `ntp` scores every token of the documents. Stage `sbd` scores answers, and adds noisy copies of them; with
`--masked-weight 0` the copies are left out: the next-token twin of an SBD run. A run that was interrupted goes on from its
checkpoint when the same command is given again. `--tokens` counts clean tokens and may change between the two: the schedule
(warm-up, constant, linear decay to zero) follows the tokens seen. The documents of a step depend on seed and step alone.
Works on CPU and CUDA. Every finished run appends a line to LOG.md.
"""

import argparse
import dataclasses
import json
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from random import Random

import torch
from tokenizers import Tokenizer

from .checkpoint import load_checkpoint, save_checkpoint
from .documents import FileSampler, Sampler, encode, read_documents
from .layout import Batch, Noise, Rows, lay_out, pad_to_batch
from .loss import Sums, sbd_sums
from .model import LanguageModel, ModelConfig
from .tokenizer import MASK, PAD

LOG = Path(__file__).resolve().parent.parent / "LOG.md"
ROWS_MULTIPLE = 32  # sequences are padded to it, so that few shapes occur
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


def micro_batches(sequences: list[Rows], rows_max: int) -> Iterator[Batch]:
    """Sequences of like length together, at most rows_max padded rows each (but always one sequence)."""
    group: list[Rows] = []
    for rows in sorted(sequences, key=len):
        width = -(-len(rows) // ROWS_MULTIPLE) * ROWS_MULTIPLE
        if group and width * (len(group) + 1) > rows_max:
            yield pad_to_batch(group, PAD, ROWS_MULTIPLE)
            group = []
        group.append(rows)
    if group:
        yield pad_to_batch(group, PAD, ROWS_MULTIPLE)


def stage_noise(arguments: argparse.Namespace) -> Noise:
    if arguments.stage == "ntp":
        return Noise(MASK, prompt_rate=1.0, masked_copies=0, partial_rate=0)
    return Noise(MASK)


class Steps:
    """The sequences of one optimizer step, drawn from seed and step alone."""

    def __init__(self, arguments: argparse.Namespace, tokenizer: Tokenizer, context: int) -> None:
        self.tokenizer, self.noise, self.context = tokenizer, stage_noise(arguments), context
        self.rows, self.seed = arguments.rows, arguments.seed
        self.twin = arguments.stage == "sbd" and arguments.masked_weight == 0
        self.sampler = FileSampler(arguments.documents) if arguments.documents else Sampler()

    def draw(self, step: int) -> tuple[list[Rows], int]:
        """(sequences of at least `rows` rows together, their clean tokens). A twin's are the same without the noise."""
        random = Random(f"{self.seed}/{step}")
        sequences: list[Rows] = []
        rows = clean = 0
        while rows < self.rows:
            tokens, answer_start = encode(self.tokenizer, self.sampler.draw(random))
            tokens = tokens[: self.context]
            if answer_start >= len(tokens):
                continue
            sequence = lay_out(tokens, answer_start, self.noise, random)
            rows += len(sequence)
            sequences.append(sequence.clean() if self.twin else sequence)
            clean += len(tokens)
        return sequences, clean


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
        self.config, self.context = config, config.max_position_embeddings
        self.model = LanguageModel(config)
        if arguments.init:
            self.model.load_state_dict(load_checkpoint(arguments.init)["model"])
        self.model.to(self.device)
        self.optimizers = optimizers(self.model, arguments.rate, arguments.weight_decay)
        self.tokenizer = Tokenizer.from_file(str(arguments.data / "tokenizer.json"))
        self.steps = Steps(arguments, self.tokenizer, self.context)
        self.step, self.seen, self.seconds = 0, 0, 0.0
        self.resume()
        if arguments.compile:
            self.model.hidden = torch.compile(self.model.hidden, dynamic=True)

    def resume(self) -> None:
        if not self.arguments.out.exists():
            return
        state = load_checkpoint(self.arguments.out)
        self.model.load_state_dict(state["model"])
        for optimizer, saved in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
        self.step, self.seen, self.seconds = state["step"], state["seen"], state["seconds"]
        print(f"resumed at step {self.step}, {self.seen / 1e6:.2f}M tokens", flush=True)

    def save(self) -> None:
        state = {
            "model": self.model.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
            "config": dataclasses.asdict(self.config),
            "step": self.step, "seen": self.seen, "seconds": self.seconds,
        }  # fmt: skip
        save_checkpoint(self.arguments.out, state)

    def backward(self, sequences: list[Rows]) -> list[Sums]:
        """Gradients of the weighted mean over all scored rows of the step, in parts that fit memory."""
        arguments = self.arguments
        batches = [batch.to(self.device) for batch in micro_batches(sequences, arguments.micro_rows)]
        next_count = sum(int(((b.target >= 0) & (b.block < 0)).sum()) for b in batches)
        masked_count = sum(int(((b.target >= 0) & (b.block >= 0)).sum()) for b in batches)
        terms = arguments.next_weight * next_count + arguments.masked_weight * masked_count
        parts = []
        for batch in batches:
            with torch.autocast(self.device, dtype=torch.bfloat16):
                sums = sbd_sums(self.model, batch, arguments.distil)
            weighted = arguments.next_weight * sums.next_sum + arguments.masked_weight * sums.masked_sum
            (weighted / terms).backward()
            parts.append(sums)
        return parts

    def train_step(self) -> dict[str, float]:
        arguments = self.arguments
        scale = learning_rate_scale(self.seen / arguments.tokens, self.step, arguments.warmup, arguments.decay)
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = arguments.rate * scale
        sequences, clean = self.steps.draw(self.step)
        parts = self.backward(sequences)
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        for optimizer in self.optimizers:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        self.step += 1
        self.seen += clean
        return mean_losses(parts)

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
        validation = {name: round(value, 3) for name, value in self.validate().items()}
        parts = {name: round(value, 3) for name, value in averages.items()}
        row = (
            f"| {date.today()} | {self.arguments.stage} {self.arguments.size} | {self.seen / 1e6:.1f}M | {self.step} |"
            f" {parts} | {validation} | {int(self.seen / max(self.seconds, 1e-9))} | {self.device} |\n"
        )
        if self.arguments.log:
            with self.arguments.log.open("a", encoding="utf-8") as log:
                log.write(row)
        print(row, flush=True)

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """Mean losses in nats over the answers of the validation documents, whatever the stage."""
        random, noise = Random(0), Noise(MASK, prompt_rate=0.0)
        sequences = []
        for document in read_documents(self.arguments.data / "validation.jsonl"):
            tokens, start = encode(self.tokenizer, document)
            if start < len(tokens[: self.context]):
                sequences.append(lay_out(tokens[: self.context], start, noise, random))
        batches = micro_batches(sequences, self.arguments.micro_rows)
        return mean_losses([sbd_sums(self.model, batch.to(self.device)) for batch in batches])


def mean_losses(parts: list[Sums]) -> dict[str, float]:
    total = lambda name: float(sum(getattr(part, name).detach() for part in parts))
    means = {name: total(f"{name}_sum") / max(1.0, total(f"{name}_count")) for name in ("next", "masked")}
    return {name: mean for name, mean in means.items() if total(f"{name}_count") > 0}


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stage", choices=("ntp", "sbd"), required=True)
    parser.add_argument("--data", type=Path, required=True, help="folder written by setblock_training.corpus")
    parser.add_argument("--documents", type=Path, help="JSON Lines of prompt and answer, instead of the built-in mix")
    parser.add_argument("--out", type=Path, required=True, help="checkpoint; training resumes from it if it exists")
    parser.add_argument("--init", type=Path, help="checkpoint whose weights start this run")
    parser.add_argument("--size", choices=tuple(SIZES), default="nano")
    parser.add_argument("--layers", type=int, help="overrides the number of layers")
    parser.add_argument("--length", type=int, help="overrides the context length")
    parser.add_argument("--tokens", type=int, required=True, help="clean tokens to train on")
    parser.add_argument("--rows", type=int, default=12_000, help="rows of a step, clean and noisy")
    parser.add_argument("--micro-rows", type=int, default=6144, help="padded rows that go through the model at once")
    parser.add_argument("--next-weight", type=float, default=1.0)
    parser.add_argument("--masked-weight", type=float, default=1.0)
    parser.add_argument("--distil", type=float, default=0.0, help="share of the causal rows' own prediction in the masked targets")
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
