# The models: one file each, and its entry in models.c.
noinst_LTLIBRARIES += models/libmodels.la
models_libmodels_la_SOURCES = \
	models/alexnet.c \
	models/model.c models/model.h \
	models/models.c models/models.h \
	models/resnet50v2.c \
	models/vgg.c \
	models/vit.c
