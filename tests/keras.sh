#!/bin/sh
# Weights of Keras's ResNet50V2: a narrow one, as Keras 3 left it in a fixture, gives Keras's logits. With
# PYTHON=... that has Keras 3 also the real one, in both forms of .h5.
dir=tests/keras.tmp
. "${srcdir:-.}/tests/check.sh"
need_device
golden=${srcdir:-.}/tests/golden

floats() {	# FILE N: the last N values of a .npy
	tail -c $((4 * $2)) "$1" | od -An -v -tf4 | tr -s ' ' '\n' | sed '/^$/d'
}

near() {	# A B N BOUND: |a - b| <= bound |a|; says how near
	floats "$1" "$3" >$dir/a
	floats "$2" "$3" >$dir/b
	paste $dir/a $dir/b | ${AWK:-awk} -v n="$3" -v bound="$4" '
		/[nN]/ { strange = 1 } # nan, inf
		{ d += ($1 - $2) ^ 2; norm += $1 ^ 2 }
		END {
			print "# error", sqrt(d / norm)
			exit strange || NR != n || !(norm > 0) || !(sqrt(d / norm) <= bound)
		}'
}

logits() {	# H5 OPTION...: imported, and fed with $in
	h5=$1
	shift
	run bin/fer-import "$h5" "$@" --no-fold -o $dir/net.safetensors
	[ $status -eq 0 ] || return 1
	grep -q ' 0 freshly drawn' $dir/err || return 1
	run bin/fer-predict -c $dir/net.safetensors --tensor "$in" --layer logits -o $dir/out.npy
	[ $status -eq 0 ]
}

gzip -dc $golden/keras3.weights.h5.gz >$dir/narrow.weights.h5
run bin/fer-import $dir/narrow.weights.h5 --divisor 32 --img-size 33 -o $dir/net.safetensors
if grep -q 'without libhdf5' $dir/err; then
	echo "1..0 # SKIP built without libhdf5"
	rm -rf $dir
	exit 0
fi
check "Keras 3's numbered weights are imported" [ $status -eq 0 ]
check "for Keras's form, all of them" grep -q '272 tensors taken from Keras 3, 0 freshly' $dir/err
in=$golden/keras3-in.npy
check "and the network runs" logits $dir/narrow.weights.h5 --divisor 32 --img-size 33
check "with Keras's logits" near $golden/keras3-out.npy $dir/out.npy 10 1e-5
head -c 30000 $dir/narrow.weights.h5 >$dir/cut.weights.h5
run bin/fer-import $dir/cut.weights.h5 --divisor 32 -o $dir/cut.safetensors
check "but not from a file cut short" fails 6 'cut.weights.h5: not a whole HDF5 file'

if KERAS_BACKEND=${KERAS_BACKEND:-tensorflow} TF_CPP_MIN_LOG_LEVEL=3 CUDA_VISIBLE_DEVICES='' \
	${PYTHON:-python3} $golden/../check_keras.py $dir 2>$dir/err; then
	in=$dir/full-in.npy
	for form in full.weights.h5 full.h5; do
		check "ResNet50V2 of keras.applications, $form" logits $dir/$form --img-size 96
		check "with Keras's logits" near $dir/full-out.npy $dir/out.npy 2000 1e-4
		rm $dir/$form
	done
else
	count=$((count + 1))
	echo "ok $count # SKIP ${PYTHON:-python3} has no Keras 3 with TensorFlow"
fi

echo "1..$count"
rm -rf $dir
exit $failed
