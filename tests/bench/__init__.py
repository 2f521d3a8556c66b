"""Throughput and latency of a running server, as ratios against references measured in the same run."""
