"""Metrics on their way to the console, TensorBoard, W&B and a JSONL file."""
