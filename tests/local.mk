# A test program: one line in check_PROGRAMS (TESTS follows) or, if it exercises operations and should run
# under every combination of kernels and matrix products, in ops_programs. Its source is PROGRAM.c unless
# PROGRAM_SOURCES says otherwise; it is linked with the whole library, private names included.

ops_programs = \
	tests/gradcheck \
	tests/test_attention \
	tests/test_augment \
	tests/test_conv2d \
	tests/test_dropout \
	tests/test_gemm \
	tests/test_keep \
	tests/test_golden \
	tests/test_loss \
	tests/test_models \
	tests/test_norm \
	tests/test_optim \
	tests/test_props \
	tests/test_broken \
	tests/test_shape \
	tests/test_update \
	tests/test_winograd
unit_programs = \
	tests/test_bench \
	tests/test_charts \
	tests/test_choice \
	tests/test_cli \
	tests/test_data \
	tests/test_env \
	tests/test_import \
	tests/test_pre_logits \
	tests/test_explain \
	tests/test_export \
	tests/test_faults \
	tests/test_kernel \
	tests/test_metrics \
	tests/test_packed \
	tests/test_picture \
	tests/test_pictures \
	tests/test_plan \
	tests/test_png \
	tests/test_safetensors \
	tests/test_synth \
	tests/test_tensorboard \
	tests/test_tune \
	tests/test_weights \
	tests/test_zip

# What test programs share.
check_LTLIBRARIES = tests/libtest.la
tests_libtest_la_SOURCES = \
	tests/golden.c tests/golden.h \
	tests/net.c tests/net.h \
	tests/optest.c tests/optest.h tests/optest_program.c tests/convtest.h \
	tests/philox.h \
	tests/ref.c tests/ref.h \
	tests/ref_image.c \
	tests/tap.c tests/tap.h \
	tests/values.c tests/values.h

check_PROGRAMS += $(ops_programs) $(unit_programs)
tests_test_bench_SOURCES = tests/test_bench.c bench/floor.c bench/table.c
TESTS += $(unit_programs) $(ops_scripts) \
	tests/bench.sh \
	tests/bootstrap.sh \
	tests/data.sh \
	tests/devices.sh \
	tests/eval.sh \
	tests/export.sh \
	tests/exports.sh \
	tests/keras.sh \
	tests/kfold.sh \
	tests/layers.sh \
	tests/manpages.sh \
	tests/predict.sh \
	tests/predict_pictures.sh \
	tests/metrics.sh \
	tests/report.sh \
	tests/style.sh \
	tests/tensorboard.sh \
	tests/train.sh \
	tests/tune.sh

ops_scripts = \
	tests/ops-cpu-clblast.sh \
	tests/ops-cpu-own.sh \
	tests/ops-gpu-clblast.sh \
	tests/ops-gpu-own.sh

EXTRA_DIST += $(ops_scripts) \
	tests/bench.sh \
	tests/bootstrap.sh \
	tests/check.sh \
	tests/check_export.py \
	tests/check_keras.py \
	tests/data.sh \
	tests/devices.sh \
	tests/eval.sh \
	tests/export.sh \
	tests/exports.sh \
	tests/keras.sh \
	tests/kfold.sh \
	tests/layers.sh \
	tests/lsan.supp \
	tests/manpages.sh \
	tests/predict_pictures.sh \
	tests/metrics.sh \
	tests/metrics_sklearn.py \
	tests/ports.sh \
	tests/predict.sh \
	tests/report.sh \
	tests/run-programs.sh \
	tests/style.sh \
	tests/tensorboard.sh \
	tests/tensorboard_read.py \
	tests/train.sh \
	tests/tune.sh

# What PyTorch and Keras computed, and the scripts that asked them.
EXTRA_DIST += \
	tests/golden/alexnet-caffe.safetensors \
	tests/golden/alexnet-torch.safetensors \
	tests/golden/alexnet.safetensors \
	tests/golden/explain.safetensors \
	tests/golden/keras3-in.npy \
	tests/golden/keras3-out.npy \
	tests/golden/keras3.weights.h5.gz \
	tests/golden/make_explain.py \
	tests/golden/make_golden.py \
	tests/golden/make_keras.py \
	tests/golden/make_npz.py \
	tests/golden/optim.safetensors \
	tests/golden/resnet50v2-48x3.safetensors \
	tests/golden/resnet50v2-96.safetensors \
	tests/golden/resnet50v2-96x1.safetensors \
	tests/golden/resnet50v2-gluon.safetensors \
	tests/golden/resnet50v2.safetensors \
	tests/golden/vgg.safetensors \
	tests/golden/vit-google.npz \
	tests/golden/vit-google.safetensors \
	tests/golden/vit.safetensors

# Archives that Python's zipfile wrote, and the script.
EXTRA_DIST += \
	tests/golden/make_zips.py \
	tests/golden/plain.zip \
	tests/golden/stream.zip \
	tests/golden/zip64.zip

# Pictures that Pillow wrote, with what it sees in them, and the script.
EXTRA_DIST += \
	tests/golden/images.npz \
	tests/golden/make_pictures.py \
	tests/golden/own.zip \
	tests/golden/pictures.zip

# What scikit-learn and SciPy computed, and the script that asked them.
EXTRA_DIST += \
	tests/golden/metrics.py \
	tests/golden/metrics_numbers.py \
	tests/golden/metrics.txt

TEST_EXTENSIONS = .sh
tap_driver = env AM_TAP_AWK='$(AWK)' $(SHELL) $(top_srcdir)/build-aux/tap-driver.sh
LOG_DRIVER = $(tap_driver)
SH_LOG_DRIVER = $(tap_driver)
SH_LOG_COMPILER = $(SHELL)

# Caches go below the build tree; the drivers' own leaks are not ours.
AM_TESTS_ENVIRONMENT = \
	XDG_CACHE_HOME='$(abs_top_builddir)/tests/cache'; export XDG_CACHE_HOME; \
	OPS_PROGRAMS='$(ops_programs)'; export OPS_PROGRAMS; \
	PROGRAMS='$(bin_PROGRAMS)'; export PROGRAMS; \
	LSAN_OPTIONS='suppressions=$(abs_top_srcdir)/tests/lsan.supp:print_suppressions=0'; \
	export LSAN_OPTIONS; AWK='$(AWK)'; export AWK;

clean-local:
	rm -rf tests/cache tests/bootstrap.tmp tests/test_pictures.tmp tests/data.tmp tests/devices.tmp tests/export.tmp tests/keras.tmp tests/predict.tmp tests/predict_pictures.tmp tests/metrics.tmp \
		tests/report.tmp tests/tensorboard.tmp tests/train.tmp tests/bench.tmp tests/tune.tmp tests/ports.tmp

# The whole suite on a second OpenCL implementation.
check-rusticl: all
	@test -f /etc/OpenCL/vendors/rusticl.icd || { \
		echo 'check-rusticl: Mesa rusticl is not installed (package mesa-opencl-icd)' >&2; exit 1; }
	RUSTICL_ENABLE=llvmpipe OCL_ICD_VENDORS=rusticl.icd $(MAKE) $(AM_MAKEFLAGS) check

# The operations at tiny sizes in Oclgrind: races and accesses out of bounds.
check-oclgrind: $(ops_programs)
	@command -v oclgrind >/dev/null || { \
		echo 'check-oclgrind: oclgrind is not installed (package oclgrind)' >&2; exit 1; }
	$(AM_TESTS_ENVIRONMENT) srcdir='$(srcdir)'; export srcdir; CG_TINY=1; export CG_TINY; \
	RUNNER_LOG='$(abs_top_builddir)/tests/oclgrind.log'; export RUNNER_LOG; \
	RUNNER="$(LIBTOOL) --mode=execute oclgrind --data-races --log $$RUNNER_LOG"; export RUNNER; \
	status=0; for family in cpu gpu; do \
		$(SHELL) $(srcdir)/tests/ops-$$family-own.sh || status=1; \
	done; exit $$status

# The GPU family compiled for GPUs that are not here: spills, local memory.
check-ports:
	@srcdir='$(srcdir)' AWK='$(AWK)' $(SHELL) $(srcdir)/tests/ports.sh

.PHONY: check-ports check-rusticl check-oclgrind
