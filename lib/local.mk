# The library. A new operation of a family that exists needs nothing here; a new family adds its two files,
# lib/op/FAMILY.c and cl/FAMILY.cl.

include_HEADERS = lib/clgrad.h

# Everything, private names included: what tests link with. libclgrad is the same with the public names.
noinst_LTLIBRARIES += lib/libcore.la
lib_libcore_la_SOURCES = \
	lib/arena.c lib/arena.h \
	lib/autodiff.c \
	lib/ceiling.c \
	lib/check.c \
	lib/checkpoint.c \
	lib/clgrad.h \
	lib/choice.c lib/choice.h \
	lib/ctx.h \
	lib/device.c lib/device.h \
	lib/emit.c \
	lib/env.c lib/env.h \
	lib/error.c lib/error.h \
	lib/fuse.c lib/fuse.h \
	lib/gemm.c lib/gemm.h \
	lib/gemm_clblast.c \
	lib/gemm_pack.c \
	lib/gemm_sets.c \
	lib/graph.c lib/graph.h \
	lib/keep.c \
	lib/kernel.c lib/kernel.h \
	lib/nn.c \
	lib/op.h \
	lib/op/act.c \
	lib/op/attention.c \
	lib/op/augment.c \
	lib/op/batch_norm.c lib/op/batch_norm.h \
	lib/op/conv2d.c lib/op/conv2d.h \
	lib/op/conv2d_cpu.c \
	lib/op/conv2d_gpu.c \
	lib/op/dropout.c \
	lib/op/ewise.c \
	lib/op/layer_norm.c \
	lib/op/loss.c \
	lib/op/lrn.c \
	lib/op/matmul.c \
	lib/op/pool.c \
	lib/op/shape.c \
	lib/op/softmax.c \
	lib/open.c \
	lib/optim.c lib/optim.h \
	lib/optim_file.c \
	lib/optim_update.c \
	lib/params.c lib/params.h \
	lib/plan.c lib/plan.h lib/plan_run.c \
	lib/plan_tune.c \
	lib/profile.c \
	lib/safetensors.c lib/safetensors.h \
	lib/safetensors_write.c \
	lib/sched.c \
	lib/summary.c \
	lib/tune.c lib/tune.h \
	lib/tuned.c lib/tuned.h \
	lib/winograd.c lib/winograd.h

nodist_lib_libcore_la_SOURCES = lib/cl_sources.c
lib_libcore_la_LIBADD = $(CLBLAST_LIBS) $(OPENCL_LIBS) -lm

lib_LTLIBRARIES = lib/libclgrad.la
lib_libclgrad_la_SOURCES =
lib_libclgrad_la_LIBADD = lib/libcore.la
lib_libclgrad_la_LDFLAGS = $(AM_LDFLAGS) -version-info 0:0:0 -no-undefined \
	-export-symbols-regex '^cg_[^_]'

cl_sources = \
	cl/common.cl \
	cl/act.cl \
	cl/attention_cpu.cl \
	cl/attention_gpu.cl \
	cl/attention_tile_cpu.cl \
	cl/augment.cl \
	cl/batch_norm.cl \
	cl/batch_norm_sums.cl \
	cl/batch_norm_sums_gpu.cl \
	cl/caches.cl \
	cl/ceiling.cl \
	cl/conv2d_cpu.cl \
	cl/conv2d_dw_cpu.cl \
	cl/conv2d_dw_gpu.cl \
	cl/conv2d_few_cpu.cl \
	cl/conv2d_gpu.cl \
	cl/dropout.cl \
	cl/ewise.cl \
	cl/exp.cl \
	cl/gemm_cpu.cl \
	cl/gemm_gpu.cl \
	cl/gemm_update_cpu.cl \
	cl/im2col_gpu.cl \
	cl/layer_norm.cl \
	cl/loss.cl \
	cl/lrn.cl \
	cl/maps.cl \
	cl/max_pool.cl \
	cl/moments.cl \
	cl/norm_cpu.cl \
	cl/optim.cl \
	cl/pool.cl \
	cl/random.cl \
	cl/shape.cl \
	cl/softmax.cl \
	cl/tile_cpu.cl \
	cl/tile_gpu.cl \
	cl/tile_run_cpu.cl \
	cl/update.cl \
	cl/window.cl \
	cl/winograd_cpu.cl \
	cl/winograd_dw_cpu.cl \
	cl/winograd_out_cpu.cl \
	cl/winograd_panels_cpu.cl \
	cl/winograd_places_cpu.cl \
	cl/winograd_points_cpu.cl \
	cl/winograd_product_cpu.cl

EXTRA_DIST += $(cl_sources)
CLEANFILES += lib/cl_sources.c lib/cl_sources.c.tmp

lib/cl_sources.c: $(cl_sources) build-aux/embed.awk
	$(AM_V_at)$(MKDIR_P) lib
	$(AM_V_GEN)(cd $(srcdir) && $(AWK) -f build-aux/embed.awk $(cl_sources)) >$@.tmp && mv $@.tmp $@
