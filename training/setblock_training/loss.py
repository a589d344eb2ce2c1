"""Next-token loss, and the SBD loss of arXiv 2509.04185 Eq. 14: both terms weighted 1, no 1/eta factor."""

import torch
import torch.nn.functional as F
from torch import Tensor

from .model import LanguageModel

IGNORE = -100


def next_token_loss(model: LanguageModel, inputs: Tensor, targets: Tensor, positions: Tensor) -> Tensor:
    """inputs, targets (B, L): targets are the inputs shifted by one. Mean over all B*L terms."""
    logits = model(inputs, positions)
    return F.cross_entropy(logits.flatten(0, 1).float(), targets.flatten())


def sbd_loss(
    model: LanguageModel, clean: Tensor, targets: Tensor, noisy: Tensor, scored: Tensor, positions: Tensor, mask: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Doubled sequence [clean ; noisy], both halves at positions 0..L-1.

    clean, targets, noisy (B, L); scored bool (B, L): masked positions of complete blocks, which predict their OWN token
    (no shift). Returns (next-token sum, its count, masked sum, its count); the loss is (sum + sum) / (count + count), one
    mean over all scored tokens.
    """
    length = clean.shape[1]
    hidden, _ = model.hidden(torch.cat([clean, noisy], 1), torch.cat([positions, positions]), mask)
    head = model.head_weight
    next_logits = F.linear(hidden[:, :length].flatten(0, 1), head).float()
    masked_logits = F.linear(hidden[:, length:].flatten(0, 1), head).float()
    next_sum = F.cross_entropy(next_logits, targets.flatten(), reduction="sum")
    labels = torch.where(scored, clean, IGNORE).flatten()
    masked_sum = F.cross_entropy(masked_logits, labels, ignore_index=IGNORE, reduction="sum")
    count = torch.tensor(float(targets.numel()), device=clean.device)
    return next_sum, count, masked_sum, scored.sum().float()
