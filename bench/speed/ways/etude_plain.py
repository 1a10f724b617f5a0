"""étude's plain engine: bit for bit what the loop written by hand computes."""

from functools import partial

from bench.speed.job import answer
from bench.speed.ways.etude import train

if __name__ == "__main__":
    answer(partial(train, engine="plain"))
