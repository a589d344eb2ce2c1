import math

import torch

from setblock_training.loss import next_token_loss, sbd_loss


class Lookup:
    """A model whose logits are known: the head is the identity and row r has the hidden state given for it."""

    def __init__(self, hidden):
        self.states = torch.tensor([hidden])
        self.head_weight = torch.eye(self.states.shape[-1])
        self.seen = None

    def hidden(self, ids, positions, mask=None, past=None):
        self.seen = (ids, positions, mask)
        return self.states, []

    def __call__(self, ids, positions, mask=None):
        return self.states


LOG2, LOG4 = math.log(2), math.log(4)
# Logits over 3 tokens. Softmax of (ln 2, 0, 0) is (1/2, 1/4, 1/4).
A, B, C = [LOG2, 0.0, 0.0], [0.0, LOG2, 0.0], [0.0, 0.0, LOG2]


def test_next_token_loss_by_hand():
    model = Lookup([A, B])
    inputs, targets = torch.tensor([[1, 2]]), torch.tensor([[0, 0]])
    # -ln 1/2 for the first row, -ln 1/4 for the second; mean
    assert math.isclose(next_token_loss(model, inputs, targets, torch.arange(2)).item(), (LOG2 + LOG4) / 2, rel_tol=1e-6)


def test_sbd_loss_by_hand():
    # clean half rows: A, A; noisy half rows: B, C. Clean tokens 1, 2; only position 1 is masked and scored.
    model = Lookup([A, A, B, C])
    clean, targets, noisy = torch.tensor([[1, 2]]), torch.tensor([[0, 1]]), torch.tensor([[1, 9]])
    scored = torch.tensor([[False, True]])
    mask = torch.ones(4, 4, dtype=torch.bool)
    next_sum, next_count, masked_sum, masked_count = sbd_loss(model, clean, targets, noisy, scored, torch.arange(2), mask)
    assert math.isclose(next_sum.item(), LOG2 + LOG4, rel_tol=1e-6)
    assert next_count.item() == 2
    # the masked position predicts its OWN token 2 with logits C: -ln 1/2. A shifted target would give -ln 1/4.
    assert math.isclose(masked_sum.item(), LOG2, rel_tol=1e-6)
    assert masked_count.item() == 1
    ids, positions, _ = model.seen
    assert ids.tolist() == [[1, 2, 1, 9]]
    assert positions.tolist() == [0, 1, 0, 1]


def test_no_masked_position_gives_no_masked_loss():
    model = Lookup([A, A, B, C])
    clean = torch.tensor([[1, 2]])
    scored = torch.zeros(1, 2, dtype=torch.bool)
    *_, masked_sum, count = sbd_loss(model, clean, clean, clean, scored, torch.arange(2), torch.ones(4, 4, dtype=torch.bool))
    assert masked_sum.item() == 0 and count.item() == 0
