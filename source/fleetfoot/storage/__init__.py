"""What a rollout collects, and how it is cut into mini-batches."""
