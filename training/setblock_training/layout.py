"""Rows of one SBD training sequence: the clean text once, and noisy copies of blocks of its answer.

A clean row is causal. A noisy row sees the clean rows before its block and, in both directions, the rows of its own block
(arXiv 2509.04185, figures 8 and 9). Noisy rows carry the positions of the tokens they stand for. As in serving, blocks start
where the answer starts or anywhere in it, are mostly masked as a whole, and run past the end of the text.
"""

from dataclasses import dataclass, field
from random import Random

import torch
from torch import Tensor

IGNORE = -100
NO_BLOCK = -1
BLOCK_LENGTH_MIN, BLOCK_LENGTH_MAX = 2, 16
USUAL_LENGTHS = (4, 8)  # what is served most
USUAL_RATE = 0.7


@dataclass(frozen=True)
class Noise:
    """What is scored and how much noise is laid out."""

    mask_id: int
    prompt_rate: float = 0.1  # share of the prompt's tokens that carry next-token loss
    masked_copies: int = 1  # of the answer, masked as a whole
    partial_rate: float = 0.1  # chance of one more copy, with some tokens revealed; only rules that leave holes need it
    noisy_rows_max: int = 64  # of one copy


@dataclass
class Rows:
    """Columns of equal length, one entry a row."""

    ids: list[int] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)
    limit: list[int] = field(default_factory=list)  # last clean position this row sees
    block: list[int] = field(default_factory=list)  # NO_BLOCK for clean rows
    target: list[int] = field(default_factory=list)  # IGNORE: carries no loss

    def add(self, token: int, position: int, limit: int, block: int, target: int) -> None:
        for column, value in zip(self.columns(), (token, position, limit, block, target), strict=True):
            column.append(value)

    def columns(self) -> tuple[list[int], ...]:
        return self.ids, self.positions, self.limit, self.block, self.target

    def __len__(self) -> int:
        return len(self.ids)

    def clean(self) -> "Rows":
        """Without the noisy rows, which follow the clean ones."""
        count = self.block.count(NO_BLOCK)
        return Rows(*(column[:count] for column in self.columns()))


def draw_block_length(random: Random) -> int:
    low, high = USUAL_LENGTHS if random.random() < USUAL_RATE else (BLOCK_LENGTH_MIN, BLOCK_LENGTH_MAX)
    return random.randint(low, high)


def reveal_some(length: int, random: Random) -> list[bool]:
    """Which tokens of a block are shown: a prefix, or each with one probability; never all."""
    if random.random() < 0.5:
        shown = random.randint(1, length - 1)
        return [i < shown for i in range(length)]
    level = random.random()
    revealed = [random.random() < level for _ in range(length)]
    revealed[0] = revealed[0] or random.random() < 0.7  # serving takes the first token from the causal row
    if all(revealed):
        revealed[random.randrange(1, length)] = False
    return revealed


def add_block(rows: Rows, tokens: list[int], start: int, revealed: list[bool], mask_id: int) -> None:
    """One noisy block at position `start`; what is not revealed is masked and scored, but behind the text."""
    block = len(rows)  # unique in this sequence
    for position, is_revealed in enumerate(revealed, start):
        inside = position < len(tokens)
        shown = inside and is_revealed
        target = tokens[position] if inside and not shown else IGNORE
        rows.add(tokens[position] if shown else mask_id, position, start - 1, block, target)


def add_noisy_copy(rows: Rows, tokens: list[int], start: int, partial: bool, noise: Noise, random: Random) -> None:
    length = draw_block_length(random)
    first = start + (random.randrange(length) if random.random() < 0.5 else 0)
    starts = list(range(min(first, len(tokens) - 1), len(tokens), length))
    blocks_max = max(1, noise.noisy_rows_max // length)
    skipped = random.randint(0, max(0, len(starts) - blocks_max))
    for block_start in starts[skipped : skipped + blocks_max]:
        revealed = reveal_some(length, random) if partial else [False] * length
        add_block(rows, tokens, block_start, revealed, noise.mask_id)


def clean_rows(tokens: list[int], answer_start: int, prompt_rate: float, random: Random) -> Rows:
    rows = Rows()
    for i, token in enumerate(tokens[:-1]):
        scored = i + 1 >= answer_start or random.random() < prompt_rate
        rows.add(token, i, i, NO_BLOCK, tokens[i + 1] if scored else IGNORE)
    return rows


def lay_out(tokens: list[int], answer_start: int, noise: Noise, random: Random) -> Rows:
    """The last token is only a target. `answer_start` >= 1."""
    rows = clean_rows(tokens, answer_start, noise.prompt_rate, random)
    for _ in range(noise.masked_copies):
        add_noisy_copy(rows, tokens, answer_start, False, noise, random)
    if random.random() < noise.partial_rate:
        add_noisy_copy(rows, tokens, answer_start, True, noise, random)
    return rows


@dataclass(frozen=True)
class Batch:
    """All (B, S). Padding rows are clean rows that see themselves and are not scored."""

    ids: Tensor
    positions: Tensor
    limit: Tensor
    block: Tensor
    target: Tensor

    def to(self, device: str) -> "Batch":
        return Batch(*(column.to(device) for column in (self.ids, self.positions, self.limit, self.block, self.target)))


def pad_to_batch(sequences: list[Rows], pad_id: int, multiple: int) -> Batch:
    longest = max(len(rows) for rows in sequences)
    width = -(-longest // multiple) * multiple
    fills = (pad_id, 0, 0, NO_BLOCK, IGNORE)
    columns = [
        torch.tensor([column + [fill] * (width - len(column)) for column in columns])
        for columns, fill in zip(zip(*(rows.columns() for rows in sequences), strict=True), fills, strict=True)
    ]
    return Batch(*columns)


def visible(batch: Batch) -> Tensor:
    """Attention mask (B, 1, S, S), true = visible. Padding at position 0 is hidden from all other rows by `real`."""
    clean = batch.block == NO_BLOCK
    order = torch.arange(batch.ids.shape[1], device=batch.ids.device)
    # A clean row's key is found at its own position; padding sits behind the text and has position 0.
    real = clean & (batch.positions == order)
    causal = real[:, None, :] & (batch.positions[:, None, :] <= batch.limit[:, :, None])
    same = (batch.block[:, :, None] == batch.block[:, None, :]) & ~clean[:, :, None]
    return (causal | same)[:, None]
