"""End to end: the real engine, a real control plane and real controllers over simulated machines."""
