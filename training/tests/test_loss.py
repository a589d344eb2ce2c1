import math

import torch

from setblock_training.layout import IGNORE, NO_BLOCK, Rows, pad_to_batch
from setblock_training.loss import sbd_sums


class Lookup:
    """A model whose logits are known: the head is the identity and row r has the hidden state given for it."""

    def __init__(self, hidden):
        self.states = torch.tensor([hidden])
        self.head_weight = torch.eye(self.states.shape[-1])

    def hidden(self, ids, positions, mask):
        return self.states, []


LOG2, LOG4 = math.log(2), math.log(4)
# Logits over 3 tokens. Softmax of (ln 2, 0, 0) is (1/2, 1/4, 1/4).
A, B, C = [LOG2, 0.0, 0.0], [0.0, LOG2, 0.0], [0.0, 0.0, LOG2]


def batch_of(*rows):
    columns = Rows()
    for row in rows:
        columns.add(*row)
    return pad_to_batch([columns], pad_id=0, multiple=1)


def test_sbd_sums_by_hand():
    # Clean tokens 1, 2 score the NEXT tokens 0 and 1 with logits A, A; of the noisy copy only position 1 is masked.
    batch = batch_of((1, 0, 0, NO_BLOCK, 0), (2, 1, 1, NO_BLOCK, 1), (1, 0, -1, 2, IGNORE), (9, 1, -1, 2, 2))
    sums = sbd_sums(Lookup([A, A, B, C]), batch)
    assert math.isclose(sums.next_sum.item(), LOG2 + LOG4, rel_tol=1e-6)
    assert sums.next_count.item() == 2
    # The masked position predicts its OWN token 2 with logits C: -ln 1/2. A shifted target would give -ln 1/4.
    assert math.isclose(sums.masked_sum.item(), LOG2, rel_tol=1e-6)
    assert sums.masked_count.item() == 1


def test_distillation_takes_the_causal_row_of_the_same_token():
    # The masked row stands at position 1: its teacher is the clean row at position 0, which predicts B.
    batch = batch_of((1, 0, 0, NO_BLOCK, 2), (2, 1, 1, NO_BLOCK, 0), (9, 1, 0, 2, 2))
    sums = sbd_sums(Lookup([B, A, C]), batch, distil=1.0)
    by_hand = 0.25 * LOG4 + 0.5 * LOG4 + 0.25 * LOG2  # softmax(B) = (1/4, 1/2, 1/4) against -log softmax(C) = (ln 4, ln 4, ln 2)
    assert math.isclose(sums.masked_sum.item(), by_hand, rel_tol=1e-6)
    half = sbd_sums(Lookup([B, A, C]), batch, distil=0.5)
    assert math.isclose(half.masked_sum.item(), (by_hand + LOG2) / 2, rel_tol=1e-6)


def test_no_masked_position_gives_no_masked_loss():
    sums = sbd_sums(Lookup([A, A]), batch_of((1, 0, 0, NO_BLOCK, 2), (2, 1, 1, NO_BLOCK, 0)))
    assert sums.masked_sum.item() == 0 and sums.masked_count.item() == 0
