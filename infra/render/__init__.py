"""Plan to Kubernetes manifests, as plain data: pure functions."""
