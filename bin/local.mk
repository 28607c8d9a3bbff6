# The programs, and what they share. They see only the public header of the library.
noinst_LTLIBRARIES += bin/libfer.la
bin_libfer_la_SOURCES = \
	bin/agreement.c bin/agreement.h \
	bin/canvas.c bin/canvas.h \
	bin/charts.c bin/charts.h \
	bin/charts_rates.c \
	bin/checkpoint.c bin/checkpoint.h \
	bin/cli.c bin/cli.h \
	bin/cli_help.c \
	bin/cli_ini.c \
	bin/cli_value.c \
	bin/csv.c bin/csv.h \
	bin/data.c bin/data.h \
	bin/data_classes.c bin/data_classes.h \
	bin/data_csv.c \
	bin/data_dups.c \
	bin/data_ferplus.c \
	bin/data_list.c bin/data_list.h \
	bin/data_folds.c \
	bin/data_load.c \
	bin/data_pack.c \
	bin/data_packed.c bin/data_packed.h \
	bin/data_pictures.c \
	bin/engine.c bin/engine.h \
	bin/evaluate.c bin/evaluate.h \
	bin/explain.c bin/explain.h \
	bin/explain_map.c \
	bin/export.c bin/export.h \
	bin/figures.c bin/figures.h \
	bin/folds.c bin/folds.h \
	bin/files.c bin/files.h \
	bin/gallery.c bin/gallery.h \
	bin/import.c bin/import.h \
	bin/import_layout.c bin/import_layout.h \
	bin/import_names.c bin/import_names.h \
	bin/import_stem.c bin/import_stem.h \
	bin/infer.c bin/infer.h \
	bin/json.c bin/json.h \
	bin/kfold.c bin/kfold.h \
	bin/layers.c bin/layers.h \
	bin/lines.c bin/lines.h \
	bin/measure.c bin/measure.h \
	bin/measure_print.c \
	bin/metrics.c bin/metrics.h \
	bin/model_options.c bin/model_options.h \
	bin/network.c bin/network.h \
	bin/npy.c bin/npy.h \
	bin/onnx.c bin/onnx.h \
	bin/onnx_ops.c \
	bin/order.c bin/order.h \
	bin/parallel.c bin/parallel.h \
	bin/picture.c bin/picture.h \
	bin/picture_jpeg.c \
	bin/picture_png.c \
	bin/overlay.c bin/overlay.h \
	bin/page.c bin/page.h \
	bin/page_folds.c \
	bin/page_save.c \
	bin/page_tables.c \
	bin/png_write.c bin/png_write.h \
	bin/predict.c bin/predict.h \
	bin/predict_rows.c \
	bin/progress.c bin/progress.h \
	bin/proto.c bin/proto.h \
	bin/random.h \
	bin/rates.c bin/rates.h \
	bin/readback.c bin/readback.h \
	bin/report.c bin/report.h \
	bin/report_csv.c \
	bin/report_print.c \
	bin/resize.c bin/resize.h \
	bin/rework.c bin/rework.h \
	bin/rework_verbs.c \
	bin/rundir.c bin/rundir.h \
	bin/runs.c bin/runs.h \
	bin/source.c bin/source.h \
	bin/step.c bin/step.h \
	bin/stop.c bin/stop.h \
	bin/svg.c bin/svg.h \
	bin/synth.c bin/synth.h \
	bin/synth_face.c \
	bin/synth_pose.c bin/synth_pose.h \
	bin/tensorboard.c bin/tensorboard.h \
	bin/train.c bin/train.h \
	bin/train_options.c bin/train_options.h \
	bin/trial.c bin/trial.h \
	bin/tune_clblast.c bin/tune_clblast.h \
	bin/weights.c bin/weights.h \
	bin/weights_h5.c \
	bin/weights_npz.c \
	bin/zip.c bin/zip.h \
	bin/zip_write.c bin/zip_write.h
bin_libfer_la_LIBADD = $(HDF5_LIBS) $(JPEG_LIBS) $(PNG_LIBS) $(ZLIB_LIBS) -lm

# A program NAME: bin/NAME here, and a line bin_NAME_LDADD with the dash of NAME an underscore.
bin_PROGRAMS += \
	bin/fer-bench \
	bin/fer-compare \
	bin/fer-data \
	bin/fer-devices \
	bin/fer-eval \
	bin/fer-export \
	bin/fer-import \
	bin/fer-predict \
	bin/fer-report \
	bin/fer-train \
	bin/fer-tune
program_libs = bin/libfer.la models/libmodels.la lib/libclgrad.la
bin_fer_bench_LDADD = $(program_libs)
bin_fer_compare_LDADD = $(program_libs)
bin_fer_data_LDADD = bin/libfer.la
bin_fer_devices_LDADD = $(program_libs)
bin_fer_eval_LDADD = $(program_libs)
bin_fer_export_LDADD = $(program_libs)
bin_fer_import_LDADD = $(program_libs)
bin_fer_predict_LDADD = $(program_libs)
bin_fer_report_LDADD = $(program_libs)
bin_fer_train_LDADD = $(program_libs)
bin_fer_tune_LDADD = $(program_libs)
