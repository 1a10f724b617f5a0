"""One readable file an architecture; a file that defines ``CATALOG`` is in the catalogue."""
