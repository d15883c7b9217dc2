"""`kind: onnx`: a model in the Open Neural Network Exchange format, run by ONNX Runtime."""
