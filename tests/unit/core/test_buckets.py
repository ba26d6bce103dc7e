"""How parameters are put together for an exchange."""

import torch

from fleetfoot.core.buckets import in_buckets


def sizes(parameters, size):
    return [[p.numel() for p in bucket] for bucket in in_buckets(parameters, size)]


def test_a_bucket_is_full_when_the_next_would_not_fit():
    parameters = [torch.zeros(n) for n in (2, 2, 3, 1)]  # of 4 bytes each
    assert sizes(parameters, 16) == [[2, 2], [3, 1]]


def test_one_that_is_larger_travels_alone():
    assert sizes([torch.zeros(1), torch.zeros(9), torch.zeros(1)], 16) == [[1], [9], [1]]


def test_types_are_not_mixed():
    assert sizes([torch.zeros(1), torch.zeros(1, dtype=torch.float64), torch.zeros(1)], 100) == [[1], [1], [1]]


def test_nothing_is_in_no_bucket():
    assert sizes([], 16) == []
