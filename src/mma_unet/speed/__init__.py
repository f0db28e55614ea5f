"""Latency, throughput, memory and scaling of the fusion, and their tables."""
