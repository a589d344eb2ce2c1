"""Attention mask and noise of SBD training (arXiv 2509.04185, section 3 and figures 8-9)."""

import torch
from torch import Tensor

BLOCK_LENGTH_MIN, BLOCK_LENGTH_MAX = 2, 16


def doubled_mask(length: int, block_length: int) -> Tensor:
    """Mask (2L, 2L) of the doubled sequence [x ; x_hat], true = visible.

    Clean rows are causal over clean keys and never see noisy ones. A noisy row sees the clean keys of strictly
    earlier blocks and, in both directions, the noisy keys of its own block. Blocks tile the sequence from position 0.
    """
    position = torch.arange(length)
    block = position // block_length
    mask = torch.zeros(2 * length, 2 * length, dtype=torch.bool)
    mask[:length, :length] = position[:, None] >= position[None, :]
    mask[length:, :length] = block[:, None] > block[None, :]
    mask[length:, length:] = block[:, None] == block[None, :]
    return mask


def scored_positions(length: int, block_length: int) -> Tensor:
    """(L,) bool: positions of complete blocks; an incomplete last block carries no masked loss."""
    return torch.arange(length) < (length // block_length) * block_length


def draw_block_length(generator: torch.Generator) -> int:
    """Uniform on {2..16}, once per step."""
    return int(torch.randint(BLOCK_LENGTH_MIN, BLOCK_LENGTH_MAX + 1, (1,), generator=generator))


def draw_noise(tokens: Tensor, mask_id: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """One noise level eta ~ U(0,1) per sequence; each token becomes the mask with probability eta.

    tokens (B, L) -> noisy tokens (B, L), masked bool (B, L).
    """
    level = torch.rand(tokens.shape[0], 1, generator=generator)
    masked = torch.rand(tokens.shape, generator=generator) < level
    return torch.where(masked, mask_id, tokens), masked
