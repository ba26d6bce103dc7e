"""Networks: actor and critic by composition. State goes in and comes out; nothing is hidden in a module."""
