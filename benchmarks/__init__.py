"""What a run costs, beside the plain forward pass and the textbook way."""
