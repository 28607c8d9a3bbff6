#!/bin/sh
# fer-train --tensorboard: the TensorBoard package of $PYTHON [python3] reads what summary.csv has.
train=bin/fer-train
dir=tests/tensorboard.tmp
python=${PYTHON:-python3}

case $($train --list-devices 2>/dev/null) in
'' | "no OpenCL device")
	echo "1..0 # SKIP no OpenCL device"
	exit 0 ;;
esac
$python -c 'import tensorboard' 2>/dev/null || {
	echo "1..0 # SKIP $python has no tensorboard"
	exit 0
}
rm -rf $dir
mkdir -p $dir || exit 1
{ $train -m vgg --width 4 -b 16 -d synth:140 -e 2 --tensorboard --progress none -q -o $dir/run &&
	$train --resume $dir/run -e 3 --progress none -q; } >$dir/out 2>&1 || sed 's/^/# /' $dir/out
$python "${srcdir:-.}/tests/tensorboard_read.py" $dir/run
status=$?
rm -rf $dir
exit $status
