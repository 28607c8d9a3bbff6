#!/bin/sh
# Dependencies point down: a file includes only headers of rows above its own in this table, and its own
# header. Beyond the library only clgrad.h of it is seen. CLBlast's header appears only in gemm_clblast.c and gemm_sets.c, and
# within the library getenv only in env.c.
cd "${srcdir:-.}" || exit 1

# Lowest module first; those of one row do not know each other. "dir/*" stands for the rest of a folder.
# ctx.h is special: it holds a struct of each module below it, and every .c file of the library may see it.
table='
lib/clgrad
lib/error
lib/env lib/tune
lib/ctx
lib/device
lib/arena
lib/kernel
lib/ceiling lib/tuned
lib/op
lib/graph
lib/choice
lib/gemm
lib/winograd
lib/op/batch_norm
lib/op/*
lib/params
lib/autodiff
lib/fuse
lib/plan
lib/emit lib/keep lib/check lib/plan_tune lib/plan_run lib/profile lib/summary
lib/safetensors lib/nn lib/optim lib/sched
lib/safetensors_write lib/optim_file
lib/checkpoint
lib/open
models/model
models/*
models/models
bin/cli bin/json bin/png bin/random bin/progress bin/lines bin/canvas bin/proto bin/zip bin/resize bin/files bin/parallel bin/csv
bin/stop bin/picture
bin/data
bin/engine bin/import_names bin/npy
bin/synth_pose
bin/synth bin/metrics bin/order
bin/network bin/data_load bin/import_layout
bin/import_stem bin/onnx bin/weights
bin/import bin/export
bin/infer bin/step bin/checkpoint bin/layers bin/explain bin/rates
bin/report bin/svg bin/overlay
bin/charts
bin/rundir bin/evaluate bin/source bin/agreement bin/rework
bin/readback bin/tensorboard bin/folds bin/predict
bin/figures
bin/kfold bin/runs
bin/gallery
bin/page
bin/train
bin/model_options
bin/trial
bin/measure bin/tune
bin/train_options
bin/*
'

files=$(find lib models bin -name '*.[ch]' ! -name cl_sources.c | sort)
TABLE=$table ${AWK:-awk} '
function load_table(    rows, names, i, j, k)
{
	k = split(ENVIRON["TABLE"], rows, "\n")
	for (i = 1; i <= k; i++)
		for (j = split(rows[i], names, " "); j > 0; j--)
			row_of[names[j]] = i
}

# The module of a file: lib/op.h -> lib/op, bin/cli_help.c -> bin/cli where the table has that.
function module(path)
{
	sub(/\.[ch]$/, "", path)
	while (!(path in row_of) && path ~ /_[^_\/]*$/)
		sub(/_[^_\/]*$/, "", path)
	return path
}

# The row of a file; 0 if the table does not have it.
function row(path,    folder)
{
	folder = path
	sub(/[^\/]*$/, "*", folder)
	path = module(path)
	return path in row_of ? row_of[path] : row_of[folder] + 0
}

# Where an #include "name" in file leads: beside the file, or in a folder that -I names.
function resolve(file, name,    folder, try, i)
{
	folder = file
	sub(/[^\/]*$/, "", folder)
	sub(/^\.\.\//, "", name)
	split(folder " lib/ models/ bin/", try, " ")
	for (i = 1; i <= 4; i++)
		if ((try[i] name) in exists)
			return try[i] name
	return ""
}

# Rules are numbered as they are reported at the end.
function complain(rule, text)
{
	complaints[rule] = complaints[rule] "# " FILENAME ":" FNR ": " text "\n"
}

function check_include(name,    header)
{
	if (name ~ /^clblast/ && FILENAME !~ /^lib\/gemm_(sets|clblast)\.c$/)
		complain(4, name)
	header = resolve(FILENAME, name)
	if (header == "")
		return
	if (FILENAME !~ /^lib\// && header ~ /^lib\// && header != "lib/clgrad.h")
		complain(3, header " is private to the library")
	else if (header == "lib/ctx.h" && FILENAME ~ /\.c$/)
		return
	else if (row(header) >= row(FILENAME) && module(header) != module(FILENAME))
		complain(2, header " is not above " FILENAME " in the table")
}

function report(rule, text)
{
	print (complaints[rule] == "" ? "ok " : "not ok ") rule " - " text
	printf "%s", complaints[rule]
	failed += complaints[rule] != ""
}

BEGIN {
	load_table()
	for (i = 1; i < ARGC; i++)
		exists[ARGV[i]] = 1
}

FNR == 1 && !row(FILENAME) {
	complain(1, "not in the table of tests/layers.sh")
}

/^[ \t]*#[ \t]*include[ \t]*["<]/ {
	name = $0
	sub(/^[^"<]*["<]/, "", name)
	sub(/[">].*/, "", name)
	check_include(name)
}

/[^a-z_]getenv *\(/ && FILENAME ~ /^lib\// && FILENAME != "lib/env.c" {
	complain(5, $0)
}

END {
	print "1..5"
	report(1, "every file has a row in the table of modules")
	report(2, "includes point down")
	report(3, "beyond the library only clgrad.h is included")
	report(4, "only lib/gemm_clblast.c and lib/gemm_sets.c include the header of CLBlast")
	report(5, "within the library only lib/env.c calls getenv")
	exit failed > 0
}' $files
