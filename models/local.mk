# The models: one file each, and its entry in models.c.
noinst_LTLIBRARIES += models/libmodels.la
models_libmodels_la_SOURCES =
