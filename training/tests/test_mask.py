import torch

from setblock_training.mask import doubled_mask, draw_block_length, draw_noise, scored_positions

# Eight rows and keys of [x ; x_hat] for four tokens in blocks of two, written out by hand.
TABLE = """
1... ....
11.. ....
111. ....
1111 ....
.... 11..
.... 11..
11.. ..11
11.. ..11
"""


def test_mask_of_four_tokens_in_blocks_of_two():
    expected = [[c == "1" for c in line.replace(" ", "")] for line in TABLE.split("\n") if line]
    assert doubled_mask(4, 2).tolist() == expected


def test_mask_against_a_brute_force_table():
    for length, block_length in [(1, 2), (7, 3), (16, 4), (17, 16), (20, 5)]:
        mask = doubled_mask(length, block_length)
        for q in range(2 * length):
            for k in range(2 * length):
                i, j = q % length, k % length
                if q < length:
                    visible = k < length and j <= i
                elif k < length:
                    visible = j // block_length < i // block_length
                else:
                    visible = j // block_length == i // block_length
                assert mask[q, k] == visible, (length, block_length, q, k)


def test_an_incomplete_last_block_is_not_scored():
    assert scored_positions(10, 4).tolist() == [True] * 8 + [False] * 2
    assert scored_positions(8, 4).all()


def test_block_lengths_are_uniform_on_2_to_16():
    generator = torch.Generator().manual_seed(0)
    drawn = [draw_block_length(generator) for _ in range(15_000)]
    counts = [drawn.count(length) for length in range(2, 17)]
    assert sum(counts) == len(drawn)
    assert all(abs(count - 1000) < 150 for count in counts)


def test_one_noise_level_per_sequence():
    generator = torch.Generator().manual_seed(0)
    tokens = torch.full((400, 500), 9)
    noisy, masked = draw_noise(tokens, mask_id=3, generator=generator)
    assert torch.equal(noisy == 3, masked)
    assert (noisy[~masked] == 9).all()
    rates = masked.float().mean(1)
    # U(0,1) levels: mean 1/2, standard deviation 0.289; a level per token would give a deviation of 0.02.
    assert abs(rates.mean() - 0.5) < 0.05
    assert abs(rates.std() - 0.289) < 0.03
