#!/bin/sh
# fer-predict from outside: a tensor through a very narrow network, the outputs' shapes and values, exit
# codes and messages.
predict=bin/fer-predict
dir=tests/predict.tmp
. "${srcdir:-.}/tests/check.sh"
need_device

run() {		# ARGUMENT...: fer-predict's status in $status, its streams in $dir/out and $dir/err
	$predict "$@" >$dir/out 2>$dir/err
	status=$?
}

header() {	# DTYPE SHAPE: the head of a .npy file
	text="{'descr': '$1', 'fortran_order': False, 'shape': ($2), }"
	printf '\223NUMPY\001\000\166\000%-117s\n' "$text"
}

ones() {	# N: so many floats, at least
	printf '\000\000\200\077' >$dir/some
	n=1
	while [ $n -lt "$1" ]; do
		cat $dir/some $dir/some >$dir/more
		mv $dir/more $dir/some
		n=$((2 * n))
	done
	cat $dir/some
}

shape_of() {	# FILE
	head -n 1 "$1" | tr -d '\000' | LC_ALL=C sed "s/.*'shape': (\([^)]*\)).*/\1/"
}

values() {	# FILE FROM N: floats of a .npy file, one a line
	skip=$(($(head -n 1 "$1" | wc -c) + 4 * $2))
	od -An -v -t f4 -j $skip -N $((4 * $3)) "$1" | tr -s ' ' '\n' | sed '/^$/d'
}

means() {	# FILE C N: of N rows of C floats, the mean of each column
	values "$1" 0 $(($2 * $3)) | ${AWK:-awk} -v C="$2" -v N="$3" '
		{ sum[(NR - 1) % C] += $1 }
		END { for (c = 0; c < C; c++) print sum[c] / N }'
}

near() {	# FILE FILE: as many numbers, equal to 1e-5
	paste "$1" "$2" | ${AWK:-awk} '
		NF != 2 || ($1 - $2) ^ 2 > 1e-10 * (1 + $1 ^ 2) { wrong = 1 }
		END { exit wrong || NR == 0 }'
}

bin/fer-train -m vgg --width 4 -b 16 -d synth:140 -e 1 --progress none -o $dir/run >$dir/out 2>$dir/err
net="-c $dir/run/best.safetensors"

# Two images: all zeros and all ones.
run $net --list-layers
check "the layers are listed" [ "$status:$(tail -n 1 $dir/out | tr -s ' ')" = '0:logits 7' ]
size=$(sed -n 's/^stage1  *\([0-9]*\)x.*/\1/p' $dir/out)
n=$((size * size))
{
	header '<f4' "2, $size, $size, 1"
	head -c $((4 * n)) /dev/zero
	ones $n | head -c $((4 * n))
} >$dir/two.npy
run $net --tensor $dir/two.npy -o $dir/logits.npy
check "logits of two images" [ "$status:$(shape_of $dir/logits.npy)" = '0:2, 7' ]
values $dir/logits.npy 0 7 >$dir/zero
values $dir/logits.npy 7 7 >$dir/one
check "they are numbers" [ "$(grep -c '^-\{0,1\}[0-9.]*\(e-\{0,1\}[0-9]*\)\{0,1\}$' $dir/zero)" -eq 7 ]
check "and not the same" eval '! cmp -s $dir/zero $dir/one'
{
	header '<f4' "1, $size, $size, 1"
	ones $n | head -c $((4 * n))
} >$dir/single.npy
run $net --tensor $dir/single.npy -o $dir/single.out
values $dir/single.out 0 7 >$dir/alone
check "an image alone has the same" near $dir/alone $dir/one

run $net --tensor $dir/two.npy --layer stage4 -o $dir/stage4.npy
check "a layer" [ "$status:$(shape_of $dir/stage4.npy)" = '0:2, 5, 5, 32' ]
run $net --tensor $dir/two.npy --layer stage4 --pool mean -o $dir/pooled.npy
check "pooled" [ "$status:$(shape_of $dir/pooled.npy)" = '0:2, 32' ]
means $dir/stage4.npy 32 25 >$dir/a
values $dir/pooled.npy 0 32 >$dir/b
check "is the mean over its places" near $dir/a $dir/b
run $net --tensor $dir/two.npy --pool mean -o $dir/same.npy
check "what has no places stays" cmp -s $dir/same.npy $dir/logits.npy

run $net --tensor $dir/two.npy --layer nosuch -o $dir/none
check "no such layer" fails 2 '"nosuch" (--list-layers)'
run $net --tensor $dir/two.npy --layer stage1.conv1.weight -o $dir/none
check "a parameter is no layer" fails 2 'has no "stage1.conv1.weight"'
run $net --tensor $dir/two.npy
check "no --out" fails 2 -o
run $net --tensor $dir/two.npy --pool most -o $dir/none
check "an unknown pool" fails 2 pool
run --tensor $dir/two.npy -o $dir/none
check "no checkpoint" fails 2 checkpoint
run $net --tensor $dir/none -o $dir/none
check "no such tensor" fails 3 "$dir/none"
{
	header '<f4' "2, $size, $((size - 1)), 1"
	cat $dir/some $dir/some
} >$dir/narrow.npy
run $net --tensor $dir/narrow.npy -o $dir/none
check "another size" fails 3 "B x $size x $size"
head -c 1000 $dir/two.npy >$dir/short.npy
run $net --tensor $dir/short.npy -o $dir/none
check "a tensor cut short" fails 3 'cut short'
{
	header '<f8' "1, $size, $size, 1"
	cat $dir/some $dir/some
} >$dir/double.npy
run $net --tensor $dir/double.npy -o $dir/none
check "another type" fails 3 double.npy
run -c $dir/two.npy --tensor $dir/two.npy -o $dir/none
check "a checkpoint that is none" fails 6 two.npy
run $net --device nosuchdevice --tensor $dir/two.npy -o $dir/none
check "no such device" fails 4 nosuchdevice
run $net --tensor $dir/two.npy -o $dir/nofolder/out
check "an output that cannot be written" fails 1 nofolder
check "nothing was written" [ ! -e $dir/none ]

echo "1..$count"
rm -rf $dir
exit $failed
