# make bench: measures the device's ceilings, then checks and times products, convolutions and training
# steps, beside PyTorch where that is installed. BENCH_ARGS goes to the program (bench/bench.c), PYTHON
# names the interpreter that has PyTorch.
EXTRA_PROGRAMS += bench/bench
bench_bench_SOURCES = \
	bench/bench.c bench/bench.h \
	bench/cases.c \
	bench/ceiling.c \
	bench/child.c \
	bench/epoch.c \
	bench/floor.c \
	bench/kernel.c \
	bench/peer.c \
	bench/product.c \
	bench/split.c \
	bench/step.c \
	bench/table.c \
	bench/timing.c
bench_bench_LDADD = models/libmodels.la lib/libcore.la $(OPENCL_LIBS) -lm

EXTRA_DIST += \
	bench/peer_torch.py \
	bench/torch_models.py

CLEANFILES += bench/bench$(EXEEXT)

bench: bench/bench$(EXEEXT) bin/fer-train$(EXEEXT)
	@srcdir='$(srcdir)' PYTHON='$(PYTHON)' ./bench/bench$(EXEEXT) $(BENCH_ARGS)

.PHONY: bench
