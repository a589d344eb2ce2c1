import pytest
import torch

from setblock_training.average import weighted_mean


def test_shares_are_scaled_to_sum_to_one():
    first, second = {"a": torch.tensor([1.0, 4.0])}, {"a": torch.tensor([3.0, 0.0])}
    mean = weighted_mean([(first, 1), (second, 3)])
    assert mean["a"].tolist() == [2.5, 1.0]


def test_half_precision_is_added_up_in_float32():
    parts = [({"a": torch.tensor([1.0 + i / 128], dtype=torch.bfloat16)}, 1) for i in range(2)]
    assert weighted_mean(parts)["a"].item() == 1 + 1 / 256


def test_other_models_and_shares_without_sense_are_refused():
    one = {"a": torch.ones(2)}
    with pytest.raises(ValueError, match="different models"):
        weighted_mean([(one, 1), ({"b": torch.ones(2)}, 1)])
    for shares in ((0, 0), (2, -1)):
        with pytest.raises(ValueError, match="shares"):
            weighted_mean([(one, share) for share in shares])
