"""Keras on torch, see `bench.speed.keras_way`."""

import os

os.environ["KERAS_BACKEND"] = "torch"

from bench.speed.job import answer
from bench.speed.keras_way import train

if __name__ == "__main__":
    answer(train)
