"""Policies on their way to the robot: ONNX and TorchScript, compared with the original before they count."""
