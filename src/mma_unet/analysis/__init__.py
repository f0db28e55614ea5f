"""Analysis: what the metrics allow, and why the network is built as it is."""
