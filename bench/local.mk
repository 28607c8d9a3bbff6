# make bench: measures the device's ceilings, then checks and times products, convolutions and training steps.
# BENCH_ARGS goes to the program; bench/peer_torch.py does the same work in PyTorch where that is installed.
EXTRA_DIST +=
