"""The endpoint: BentoML in front, ONNX Runtime behind, and no TensorFlow anywhere."""
