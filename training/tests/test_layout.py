from random import Random

import torch

from setblock_training import layout
from setblock_training.layout import IGNORE, NO_BLOCK, Noise, Rows, lay_out, pad_to_batch, visible

MASK = 3
TOKENS = [1, 5, 90, 6, 71, 72, 73, 74, 75, 7]  # an answer of six tokens from index 4

# Two clean tokens and an answer of two: rows of [clean x 3 ; a masked block of 2 behind position 1], written out by hand.
TABLE = """
1.. ..
11. ..
111 ..
11. 11
11. 11
"""


def two_block_rows():
    rows = Rows()
    for i, token in enumerate([1, 5, 71]):
        rows.add(token, i, i, NO_BLOCK, IGNORE)
    for position in (2, 3):
        rows.add(MASK, position, 1, 3, 70 + position)
    return rows


def test_a_noisy_row_sees_the_text_before_its_block_and_its_own_block():
    expected = [[c == "1" for c in line.replace(" ", "")] for line in TABLE.split("\n") if line]
    mask = visible(pad_to_batch([two_block_rows()], pad_id=0, multiple=1))
    assert mask[0, 0].tolist() == expected


def test_padding_is_seen_by_nobody_and_every_row_sees_something():
    batch = pad_to_batch([two_block_rows(), lay_out(TOKENS, 4, Noise(MASK), Random(1))], pad_id=0, multiple=8)
    mask = visible(batch)
    assert batch.ids.shape[1] % 8 == 0
    assert not mask[0, 0, :, 5:].any()
    assert mask.any(-1).all()
    assert (batch.target[0, 5:] == IGNORE).all()


def drawn(noise=Noise(MASK), count=300):
    return [lay_out(TOKENS, 4, noise, Random(seed)) for seed in range(count)]


def test_rows_mean_what_they_say():
    for rows in drawn():
        for token, position, limit, block, target in zip(*rows.columns(), strict=True):
            if block == NO_BLOCK:
                assert token == TOKENS[position] and limit == position
                assert target in (IGNORE, TOKENS[position + 1])
            elif token == MASK:
                # A masked row predicts its OWN token, and nothing behind the end of the text.
                assert target == (TOKENS[position] if position < len(TOKENS) else IGNORE)
                assert limit < position
            else:
                assert token == TOKENS[position] and target == IGNORE


def test_every_answer_token_is_scored_and_a_tenth_of_the_prompt():
    prompt = answer = 0
    for rows in drawn():
        clean = [(p, t) for p, b, t in zip(rows.positions, rows.block, rows.target, strict=True) if b == NO_BLOCK]
        answer += sum(t != IGNORE for p, t in clean if p >= 3)
        prompt += sum(t != IGNORE for p, t in clean if p < 3)
    assert answer == 300 * 6
    assert 45 < prompt < 135  # 90 expected


def test_blocks_are_whole_and_the_first_copy_is_masked_as_a_whole():
    for rows in drawn(Noise(MASK, partial_rate=0)):
        noisy = [(b, p, t) for t, p, b in zip(rows.ids, rows.positions, rows.block, strict=True) if b != NO_BLOCK]
        blocks = {b: [p for c, p, _ in noisy if c == b] for b, _, _ in noisy}
        lengths = {len(positions) for positions in blocks.values()}
        assert len(lengths) == 1 and lengths <= set(range(2, 17))
        for positions in blocks.values():
            assert positions == list(range(positions[0], positions[0] + len(positions)))
        assert all(token == MASK for _, _, token in noisy)


def test_half_of_the_copies_start_where_the_answer_does_and_the_rest_within_it():
    starts = [rows.positions[rows.block.index(max(rows.block[: len(TOKENS)]))] for rows in drawn(Noise(MASK, partial_rate=0))]
    assert 0.4 < sum(start == 4 for start in starts) / len(starts) < 0.75
    assert min(starts) == 4 and max(starts) > 7


def test_a_partly_revealed_block_shows_some_tokens_and_never_all():
    shown = [layout.reveal_some(6, Random(seed)) for seed in range(500)]
    assert not any(all(block) for block in shown)
    assert sum(block[0] for block in shown) > 400  # serving reveals the first token first
    assert sum(not block[1] and any(block[2:]) for block in shown) > 50


def test_long_answers_are_noised_in_part():
    rows = lay_out(list(range(10, 500)), 1, Noise(MASK, partial_rate=1, noisy_rows_max=64), Random(0))
    noisy = [b for b in rows.block if b != NO_BLOCK]
    assert 64 < len(noisy) <= 128
    assert torch.tensor(rows.positions).max() < 500 + 16


def test_a_twin_has_the_clean_rows_alone():
    rows = lay_out(TOKENS, 3, Noise(MASK), Random(1))
    clean = rows.clean()
    assert len(clean) == len(TOKENS) - 1 < len(rows)
    assert clean.ids == TOKENS[:-1] and set(clean.block) == {NO_BLOCK}
    assert clean.target == rows.target[: len(clean)]
