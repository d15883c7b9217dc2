"""`kind: tflite`: a model of TensorFlow Lite, run by LiteRT."""
