import torch

from fleetfoot.compat.value_units import fold_scale, last_layer, unfold_scale

NETWORK = {
    "network.layers.0.weight": torch.ones(2, 3),
    "network.layers.0.bias": torch.zeros(2),
    "network.layers.10.weight": torch.tensor([[1.0, -2.0]]),
    "network.layers.10.bias": torch.tensor([0.5]),
}
SCALE = {
    "scale.moments.mean": torch.tensor([10.0]),
    "scale.moments.var": torch.tensor([1.99**2]),
    "scale.moments.count": torch.tensor(7),
}


def test_the_last_layer_is_that_of_the_highest_number():
    assert last_layer(NETWORK | {"network.layers.2.weight": torch.ones(1)}) == (
        "network.layers.10.weight",
        "network.layers.10.bias",
    )


def test_a_scale_of_two_about_ten_is_folded_into_the_last_layer():
    folded = fold_scale(NETWORK | SCALE)
    assert list(folded) == list(NETWORK)
    torch.testing.assert_close(folded["network.layers.10.weight"], torch.tensor([[2.0, -4.0]]))
    torch.testing.assert_close(folded["network.layers.10.bias"], torch.tensor([11.0]))
    assert torch.equal(folded["network.layers.0.weight"], NETWORK["network.layers.0.weight"])


def test_unfolding_is_the_way_back():
    back = unfold_scale(fold_scale(NETWORK | SCALE), NETWORK | SCALE)
    assert back.keys() == (NETWORK | SCALE).keys()
    for key, x in (NETWORK | SCALE).items():
        torch.testing.assert_close(back[key], x)
