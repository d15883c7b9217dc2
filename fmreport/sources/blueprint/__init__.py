"""A TensorFlow graph that does what a model of another framework does, operation by operation, and is never run.

Its weights hold no numbers. Facts such as receptive fields are read off it by the code that reads those of TensorFlow's
own models, so that they mean the same for every framework.
"""
