"""Model Units: endpoint specs to GPU node pools, vLLM deployments and autoscalers."""
