"""The maths of learning as pure functions, and the algorithms that wire them."""
