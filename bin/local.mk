# The programs, and what they share. They see only the public header of the library.
noinst_LTLIBRARIES += bin/libfer.la
bin_libfer_la_SOURCES =
bin_libfer_la_LIBADD = $(ZLIB_LIBS)

# A program NAME: its name here, then bin_NAME_LDADD = $(program_libs), the dash of NAME an underscore.
bin_PROGRAMS +=
program_libs = bin/libfer.la models/libmodels.la lib/libclgrad.la -lm
