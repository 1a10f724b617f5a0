"""The report of a run: figures, statistics and one self-contained page. Plain data in; no torch."""
