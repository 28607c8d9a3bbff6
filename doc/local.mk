# A man page for each program; tests/manpages.sh compares its options with --help.
dist_man_MANS = \
	doc/fer-bench.1 \
	doc/fer-compare.1 \
	doc/fer-data.1 \
	doc/fer-devices.1 \
	doc/fer-eval.1 \
	doc/fer-export.1 \
	doc/fer-import.1 \
	doc/fer-predict.1 \
	doc/fer-report.1 \
	doc/fer-train.1 \
	doc/fer-tune.1

# What the README links to.
EXTRA_DIST += doc/devices.md doc/performance.md doc/ports.md doc/results
