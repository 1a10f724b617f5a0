"""One data set a file; a new file is in the catalogue."""
