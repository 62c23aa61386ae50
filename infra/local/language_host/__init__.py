"""Stand-in for Pulumi's Python language host, for machines that cannot download the official one."""
