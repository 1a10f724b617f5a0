"""Studies of chapter 3: PyTorch itself."""
