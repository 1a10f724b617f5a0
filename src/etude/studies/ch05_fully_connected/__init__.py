"""Studies of chapter 5: fully connected networks."""
