"""étude with its products in float32, whatever the machine could do."""

from functools import partial

from bench.speed.job import answer
from bench.speed.ways.etude import train

if __name__ == "__main__":
    answer(partial(train, precision="float32"))
