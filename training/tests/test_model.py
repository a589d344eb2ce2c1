import dataclasses

import pytest
import torch

from setblock_training.checkpoint import export_hf, load_hf
from setblock_training.golden import CONFIGS, random_model, rows_visible
from setblock_training.mask import doubled_mask


@pytest.fixture(params=sorted(CONFIGS))
def model(request):
    return random_model(CONFIGS[request.param], seed=3).eval()


def tokens(count, seed=0):
    return torch.randint(8, 128, (1, count), generator=torch.Generator().manual_seed(seed))


@torch.no_grad()
def test_cached_equals_uncached(model):
    ids = tokens(21)
    whole = model(ids, torch.arange(21))
    past, parts = None, []
    for start, end in [(0, 9), (9, 10), (10, 21)]:
        count = end - start
        visible = torch.ones(count, end, dtype=torch.bool).tril(start)
        hidden, new = model.hidden(ids[:, start:end], torch.arange(start, end), visible, past)
        past = new if past is None else [(torch.cat([a, c], 2), torch.cat([b, d], 2)) for (a, b), (c, d) in zip(past, new)]
        parts.append(hidden @ model.head_weight.T)
    assert torch.allclose(torch.cat(parts, 1), whole, atol=1e-4)


@torch.no_grad()
def test_clean_half_of_the_doubled_sequence_is_the_plain_model(model):
    ids = tokens(12)
    noisy = torch.full_like(ids, 3)
    positions = torch.arange(12)
    doubled = model(torch.cat([ids, noisy], 1), torch.cat([positions, positions]), doubled_mask(12, 4))
    assert torch.allclose(doubled[:, :12], model(ids, positions), atol=1e-4)


@torch.no_grad()
def test_a_noisy_block_of_training_is_a_block_of_inference(model):
    """Third block of the doubled sequence = two clean blocks as a causal prefix, then a bidirectional block."""
    ids = tokens(12)
    noisy = ids.clone()
    noisy[0, [8, 10, 11]] = 3
    positions = torch.arange(12)
    doubled = model(torch.cat([ids, noisy], 1), torch.cat([positions, positions]), doubled_mask(12, 4))
    inference = model(torch.cat([ids[:, :8], noisy[:, 8:]], 1), positions, rows_visible(8, [(8, 4)]))
    assert torch.allclose(doubled[0, 20:24], inference[0, 8:12], atol=1e-4)


@torch.no_grad()
def test_equals_the_hugging_face_model_of_the_same_folder(model, tmp_path):
    transformers = pytest.importorskip("transformers", reason="transformers is not installed: HF parity NOT tested")
    export_hf(tmp_path, model, 1, 2, 0, torch.float32)
    reference = transformers.AutoModelForCausalLM.from_pretrained(tmp_path, dtype=torch.float32).eval()
    ids = tokens(30)
    assert torch.allclose(model(ids, torch.arange(30)), reference(ids).logits, atol=1e-4)


@torch.no_grad()
def test_export_and_load_give_the_same_model(model, tmp_path):
    export_hf(tmp_path, model, 1, 2, 0, torch.float32)
    loaded = load_hf(tmp_path)
    assert dataclasses.asdict(loaded.config) == dataclasses.asdict(model.config)
    ids = tokens(5)
    assert torch.equal(loaded(ids, torch.arange(5)), model(ids, torch.arange(5)))
