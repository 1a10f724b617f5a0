"""Studies of chapter 4: regression and gradient descent."""
