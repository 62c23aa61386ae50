"""The embedded cluster and toolchain for one machine."""
