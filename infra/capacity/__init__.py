"""How much memory and speed a model gets from GPUs: pure arithmetic."""
