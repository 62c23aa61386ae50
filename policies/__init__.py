"""One rule, three gates: named judgements of plans and manifests."""
