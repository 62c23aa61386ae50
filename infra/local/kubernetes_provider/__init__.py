"""Stand-in for Pulumi's Kubernetes provider, for local clusters where the official one cannot be downloaded.

It behaves as pulumi-kubernetes 4.34 does for what our program uses, keeps its state in the same form, and
refuses any API server that is not on loopback. What it knows of the official provider's behaviour was read in
https://github.com/pulumi/pulumi-kubernetes (provider/pkg); none of its code is here.
"""

VERSION = "4.34.2"
