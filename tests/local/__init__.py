"""Tests of the local cluster and the toolchain."""
