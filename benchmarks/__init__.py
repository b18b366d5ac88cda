"""Speed and memory, always as ratios within one run: ours against the bare kernels or a peer."""
