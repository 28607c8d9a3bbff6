# The library. A new operation of a family that exists needs nothing here; a new family adds its two files,
# lib/op/FAMILY.c and cl/FAMILY.cl.

include_HEADERS = lib/clgrad.h

# Everything, private names included: what tests link with. libclgrad is the same with the public names.
noinst_LTLIBRARIES += lib/libcore.la
lib_libcore_la_SOURCES = \
	lib/clgrad.h \
	lib/error.h \
	lib/gemm.h \
	lib/op.h

nodist_lib_libcore_la_SOURCES = lib/cl_sources.c
lib_libcore_la_LIBADD = $(CLBLAST_LIBS) $(OPENCL_LIBS) -lm

lib_LTLIBRARIES = lib/libclgrad.la
lib_libclgrad_la_SOURCES =
lib_libclgrad_la_LIBADD = lib/libcore.la
lib_libclgrad_la_LDFLAGS = $(AM_LDFLAGS) -version-info 0:0:0 -no-undefined \
	-export-symbols-regex '^cg_[^_]'

cl_sources = \
	cl/common.cl

EXTRA_DIST += $(cl_sources)
CLEANFILES += lib/cl_sources.c lib/cl_sources.c.tmp

lib/cl_sources.c: $(cl_sources) build-aux/embed.awk
	$(AM_V_at)$(MKDIR_P) lib
	$(AM_V_GEN)(cd $(srcdir) && $(AWK) -f build-aux/embed.awk $(cl_sources)) >$@.tmp && mv $@.tmp $@
