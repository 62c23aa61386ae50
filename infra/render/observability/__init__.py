"""How a stack is watched: one Grafana dashboard and its alert rules."""
