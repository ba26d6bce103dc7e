import hashlib
import subprocess
import sys

import torch

from fleetfoot.core.seeding import derive_seed, make_generator


def draw(*arguments) -> list[int]:
    return torch.randint(2**31, (4,), generator=make_generator(*arguments)).tolist()


def test_a_seed_is_the_first_63_bits_of_a_hash():
    assert derive_seed(42, "networks") == int(hashlib.sha256(b"42/networks/0").hexdigest()[:16], 16) // 2


def test_a_seed_fits_where_seeds_are_taken():
    assert all(0 <= derive_seed(seed, "x") < 2**63 for seed in range(1000))


def test_the_same_arguments_draw_the_same_numbers():
    assert draw(1, "exploration") == draw(1, "exploration")


def test_other_seeds_purposes_and_ranks_draw_other_numbers():
    drawn = [draw(1, "exploration"), draw(2, "exploration"), draw(1, "shuffling"), draw(1, "exploration", "cpu", 1)]
    assert len({tuple(numbers) for numbers in drawn}) == 4


def test_drawing_for_one_purpose_does_not_shift_another():
    first, second = make_generator(1, "a"), make_generator(1, "b")
    torch.rand(100, generator=first)
    assert torch.equal(torch.rand(3, generator=second), torch.rand(3, generator=make_generator(1, "b")))


def test_the_global_generator_is_left_alone():
    before = torch.get_rng_state()
    make_generator(1, "a")
    assert torch.equal(torch.get_rng_state(), before)


def test_a_seed_does_not_depend_on_the_process():
    code = "from fleetfoot.core.seeding import derive_seed; print(derive_seed(7, 'x', 3))"
    command = [sys.executable, "-c", code]
    environment = {"PYTHONHASHSEED": "123", "PYTHONPATH": ":".join(sys.path)}
    said = subprocess.run(command, capture_output=True, text=True, env=environment, check=True).stdout
    assert int(said) == derive_seed(7, "x", 3)
