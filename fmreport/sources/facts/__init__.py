"""What a model's graph tells without an image: receptive fields, multiplications, sizes."""
