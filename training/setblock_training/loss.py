"""The SBD loss of arXiv 2509.04185 Eq. 14 over the rows of `layout`: next-token sum plus masked sum, no 1/eta factor."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from .layout import IGNORE, NO_BLOCK, Batch, visible
from .model import LanguageModel


@dataclass(frozen=True)
class Sums:
    """Summed cross-entropies in nats and how many rows each sums over."""

    next_sum: Tensor
    next_count: Tensor
    masked_sum: Tensor
    masked_count: Tensor


def sbd_sums(model: LanguageModel, batch: Batch, distil: float = 0.0) -> Sums:
    hidden, _ = model.hidden(batch.ids, batch.positions, visible(batch))
    return scored_sums(hidden, lambda rows: F.linear(rows, model.head_weight), batch, distil)


def scored_sums(hidden: Tensor, head: Callable[[Tensor], Tensor], batch: Batch, distil: float) -> Sums:
    """hidden (B, S, C). Only rows that carry a target go through the head, (rows, C) -> (rows, V). Clean rows predict the
    NEXT token, masked rows their OWN.

    `distil` in 0..1 mixes into the masked rows' targets what the causal rows of the same tokens predict (not differentiated).
    """
    flat, target = hidden.flatten(0, 1), batch.target.flatten()
    scored = target != IGNORE
    clean = (batch.block == NO_BLOCK).flatten()
    next_rows, masked_rows = (scored & clean).nonzero()[:, 0], (scored & ~clean).nonzero()[:, 0]
    next_logits, masked_logits = head(flat[next_rows]).float(), head(flat[masked_rows]).float()
    next_sum = F.cross_entropy(next_logits, target[next_rows], reduction="sum")
    masked_sum = F.cross_entropy(masked_logits, target[masked_rows], reduction="sum")
    if distil > 0:
        teacher = next_logits.detach()[teacher_rows(batch, next_rows, masked_rows)].softmax(-1)
        soft = F.cross_entropy(masked_logits, teacher, reduction="sum")
        masked_sum = (1 - distil) * masked_sum + distil * soft
    counts = [torch.tensor(float(len(rows)), device=flat.device) for rows in (next_rows, masked_rows)]
    return Sums(next_sum, counts[0], masked_sum, counts[1])


def teacher_rows(batch: Batch, next_rows: Tensor, masked_rows: Tensor) -> Tensor:
    """For each masked row the index, among next_rows, of the clean row that predicts the same token."""
    width = batch.ids.shape[1]
    order = torch.full((batch.ids.numel(),), -1, device=batch.ids.device)
    order[next_rows] = torch.arange(len(next_rows), device=batch.ids.device)
    same_text = masked_rows - masked_rows % width
    return order[same_text + batch.positions.flatten()[masked_rows] - 1]
