"""The data plane of a stack on this machine: the gateway as in the cluster, and real engines behind it."""
