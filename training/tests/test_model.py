import dataclasses

import pytest
import torch

from setblock_training.checkpoint import export_hf, load_hf
from setblock_training.golden import CONFIGS, random_model, rows_visible
from setblock_training.layout import IGNORE, NO_BLOCK, Rows, pad_to_batch, visible


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


def training_rows(ids, noisy, start):
    """The clean text, then one noisy block of 4 from `start`."""
    rows = Rows()
    for i, token in enumerate(ids):
        rows.add(token, i, i, NO_BLOCK, IGNORE)
    for position in range(start, start + 4):
        rows.add(noisy[position], position, start - 1, len(ids), IGNORE)
    return pad_to_batch([rows], pad_id=0, multiple=8)


@torch.no_grad()
def test_clean_and_noisy_rows_of_training_are_the_rows_of_inference(model):
    """Clean rows are the plain model; a noisy block is a bidirectional block behind a causal prefix."""
    ids = tokens(12)[0].tolist()
    noisy = [*ids[:8], 3, ids[9], 3, 3]
    batch = training_rows(ids, noisy, 8)
    rows = model(batch.ids, batch.positions, visible(batch))[0]
    assert torch.allclose(rows[:12], model(torch.tensor([ids]), torch.arange(12))[0], atol=1e-4)
    inference = model(torch.tensor([noisy]), torch.arange(12), rows_visible(8, [(8, 4)]))[0]
    assert torch.allclose(rows[12:16], inference[8:12], atol=1e-4)


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
