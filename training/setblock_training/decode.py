"""Reference decoders by full recomputation: slow, short, and independent of the serving engine.

Each returns (generated ids up to and including a stop token, forwards). Greedy.
"""

import torch
from torch import Tensor

from .model import LanguageModel

Decoded = tuple[list[int], int]


def row_logits(model: LanguageModel, clean: list[int], block: list[int], mask_id: int) -> Tensor:
    """Logits (len(clean) + len(block), V): clean rows causal, block rows see everything. The mask is never predicted."""
    rows = torch.arange(len(clean) + len(block))
    visible = (rows[:, None] >= rows[None, :]) | (rows[:, None] >= len(clean))
    with torch.no_grad():
        logits = model(torch.tensor([clean + block]), rows, visible)[0].float()
    logits[:, mask_id] = float("-inf")
    return logits


def entropies(logits: Tensor) -> Tensor:
    """(rows, V) -> (rows,) nats."""
    return torch.distributions.Categorical(logits=logits).entropy()


def next_token(model: LanguageModel, prompt: list[int], limit: int, stops: set[int], mask_id: int) -> Decoded:
    tokens: list[int] = []
    while len(tokens) < limit:
        tokens.append(int(row_logits(model, prompt + tokens, [], mask_id)[-1].argmax()))
        if tokens[-1] in stops:
            break
    return tokens, len(tokens)


def strict_reveals(masked: list[int], entropy: Tensor, gamma: float, seed_entropy: float | None) -> list[int]:
    """Lowest entropies whose sum (with the seed's) stays within gamma; at least one without a seed."""
    total = seed_entropy or 0.0
    chosen: list[int] = []
    for index in sorted(masked, key=lambda i: (float(entropy[i]), i)):
        total += float(entropy[index])
        if total > gamma and (chosen or seed_entropy is not None):
            break
        chosen.append(index)
        if total > gamma:
            break
    return chosen


def set_block(
    model: LanguageModel, prompt: list[int], limit: int, stops: set[int], mask_id: int, gamma: float, block_length: int
) -> Decoded:
    """SBD with the strict rule and the block's first token from the causal logits."""
    tokens: list[int] = []
    forwards = 0
    while len(tokens) < limit:
        block, first = [mask_id] * block_length, True
        while True:
            logits = row_logits(model, prompt + tokens, block, mask_id)
            forwards += 1
            block_logits = logits[len(prompt) + len(tokens) :].clone()
            if first:
                block_logits[0] = logits[len(prompt) + len(tokens) - 1]
            entropy = entropies(block_logits)
            stop = next((i for i, token in enumerate(block) if token in stops), block_length)
            masked = [i for i in range(min(stop, limit - len(tokens))) if block[i] == mask_id]
            seed = float(entropy[0]) if first else None
            chosen = strict_reveals([i for i in masked if not (first and i == 0)], entropy, gamma, seed)
            for index in sorted(chosen + ([0] if first else [])):
                block[index] = int(block_logits[index].argmax())
                if block[index] in stops:
                    break
            first = False
            stop = next((i for i, token in enumerate(block) if token in stops), block_length)
            if mask_id not in block[: min(stop, limit - len(tokens))]:
                break
        if stop < block_length:
            return tokens + block[: stop + 1], forwards
        tokens += block[: limit - len(tokens)]
    return tokens, forwards


def prefix(
    model: LanguageModel, prompt: list[int], limit: int, stops: set[int], mask_id: int, gamma: float, block_length: int
) -> Decoded:
    """SBD with rule prefix: the causal token, then masked ones while their entropies sum to at most gamma.

    After two forwards in a row that let none of those go, a block has two masks until one does.
    """
    tokens: list[int] = []
    forwards = quiet = 0
    while len(tokens) < limit:
        base = len(prompt) + len(tokens)
        masks = block_length if quiet < 2 else 2
        logits = row_logits(model, prompt + tokens, [mask_id] * masks, mask_id)
        forwards += 1
        run = torch.cat([logits[base - 1 : base], logits[base + 1 :]])
        entropy, total = entropies(run), 0.0
        for index in range(masks):
            total += float(entropy[index]) if index > 0 else 0.0
            if total > gamma or len(tokens) == limit:
                break
            tokens.append(int(run[index].argmax()))
            if tokens[-1] in stops:
                return tokens, forwards
        quiet = 0 if len(prompt) + len(tokens) > base + 1 else quiet + 1
    return tokens, forwards


def verified(
    model: LanguageModel, prompt: list[int], limit: int, stops: set[int], mask_id: int, block_length: int
) -> Decoded:
    """Self-speculation with one mask group behind the draft: emits what next_token would, drafts with the masks."""
    tokens: list[int] = []
    draft: list[int] = []
    forwards = 0
    while len(tokens) < limit:
        base = len(prompt) + len(tokens)
        logits = row_logits(model, prompt + tokens + draft, [mask_id] * block_length, mask_id)
        forwards += 1
        emitted: list[int] = []
        for index in range(len(draft) + 1):
            emitted.append(int(logits[base - 1 + index].argmax()))
            if emitted[-1] in stops or index == len(draft) or emitted[-1] != draft[index]:
                break
        whole = len(emitted) == len(draft) + 1
        tokens += emitted
        if emitted[-1] in stops:
            return tokens[:limit], forwards
        draft = logits[base + len(draft) + 1 :].argmax(-1).tolist() if whole else []
    return tokens[:limit], forwards


