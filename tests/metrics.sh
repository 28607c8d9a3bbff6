#!/bin/sh
# fer-eval's numbers against scikit-learn, where $PYTHON [python3] has it.
# On drawn faces, with a network that one epoch has taught a little.
dir=tests/metrics.tmp
python=${PYTHON:-python3}

skip() {
	echo "1..0 # SKIP $1"
	exit 0
}

case $(bin/fer-train --list-devices 2>/dev/null) in
'' | "no OpenCL device") skip "no OpenCL device" ;;
esac
$python -c 'import sklearn, scipy' 2>/dev/null || skip "$python has no scikit-learn and SciPy"
rm -rf $dir
mkdir -p $dir || exit 1
{ bin/fer-train -m vgg --width 4 -b 16 -d synth:800 -e 1 --progress none -o $dir/run &&
	bin/fer-eval -c $dir/run/best.safetensors -d synth:800 --temperature 0.7 --out $dir/eval \
		--progress none; } >$dir/out 2>&1 || {
	sed 's/^/# /' $dir/out
	echo "1..0 # training or evaluation failed"
	exit 1
}
$python "${srcdir:-.}/tests/metrics_sklearn.py" $dir/eval
status=$?
rm -rf $dir
exit $status
