"""Looking into networks: their graphs, gradients and activations."""
