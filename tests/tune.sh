#!/bin/sh
# fer-tune from outside: what it finds is kept, and the other programs take it.
tune=bin/fer-tune
dir=tests/tune.tmp
. "${srcdir:-.}/tests/check.sh"
need_device
CG_CACHE=$PWD/$dir/cache
export CG_CACHE
all_is_timed() { ! grep -q 'not timed' $dir/out; }
conv="--conv 4x9x9x16x16x3 -t .01"

run env CG_FAMILY=cpu $tune $conv --time-limit 0
check "no time: all is told as not timed" [ "$(grep -cE '^conv2d (y|dx|dw) .* not timed$' $dir/out)" -eq 3 ]
check "and how much that is" grep -q -e '--time-limit 0: 3 shapes and 0 sets' $dir/err
run env CG_FAMILY=cpu $tune $conv
check "a convolution" [ $status -eq 0 ]
check "a row for each part" [ "$(grep -cE '^conv2d (y|dx|dw) B4 H9 .* direct [0-9.]+  winograd [0-9.]+$' $dir/out)" -eq 3 ]
check "the file is named" grep -q "kept in $CG_CACHE/choices-.*txt" $dir/err
file=$(echo $CG_CACHE/choices-*.txt)
check "it has a line for each" [ "$(grep -cE '^conv2d (y|dx|dw) .* = (direct|winograd) [0-9.]+ ' "$file")" -eq 3 ]
run env CG_FAMILY=cpu $tune $conv -q
check "a second time all is known" [ "$(grep -c ' known$' $dir/out)" -eq 3 ]
run env CG_FAMILY=cpu $tune $conv --again -o csv
check "--again times it again" [ "$(grep -cE '^conv2d .*,(direct|winograd),[0-9.e-]+,[0-9.e-]+,[01],[01],1$' $dir/out)" -eq 6 ]

# A file that says otherwise than usual: fer-bench does as it says.
for way in direct winograd; do
	sed "s/ = [a-z]* /_= $way /; s/_=/ =/" "$file" >$dir/file && cp $dir/file "$file"
	run env CG_FAMILY=cpu bin/fer-bench --conv 4x9x9x16x16x3 -n 1 --trace $dir/$way.json
	check "fer-bench takes $way" [ "$(grep -c '"name": "conv2d[a-z_]* winograd[a-z_]*"' $dir/$way.json)" -eq \
		"$([ $way = winograd ] && echo 6 || echo 0)" ]
done
echo 'junk' >>"$file"
sed 's/^# kernels.*/# kernels: others/' "$file" >$dir/file && cp $dir/file "$file"
run env CG_FAMILY=cpu bin/fer-bench --gemm 3x4x5 -n 1
check "a file of other kernels is ignored with a note" grep -q 'of another device, driver or version: ignored' $dir/err

run env CG_FAMILY=gpu $tune --gemm 40x30x20 -t .005 -o json
check "products of the other family" [ $status -eq 0 ]
check "sets of the kernel for large products are left out" [ "$(grep -c '"kernel": "Xgemm",.*"why": "not used"' $dir/out)" -eq 4 ]
check "the others are timed" [ "$(grep -E '"kernel": "(XgemmDirect|GemmRoutine)",' $dir/out |
	grep -cE '"seconds": [0-9]|"why": "far slower"')" -eq 6 ]
check "CLBlast is one of their ways" [ "$(grep -c '"way": "clblast", "seconds": [0-9]' $dir/out)" -eq 3 ]
file=$dir/cache/choices
rm -f $file-*.txt
run env CG_FAMILY=gpu $tune --conv 2x5x6x3x4x3 -t .001 --no-clblast
check "convolutions of the other family" [ "$(grep -cE '^conv2d (y|dx|dw) .* tiles64 [0-9.]+  tiles128 [0-9.]+  im2col [0-9.]+$' $dir/out)" -eq 3 ]
file=$(echo $file-*.txt)
for way in tiles128 im2col; do
	sed "/^conv2d/s/ = [a-z0-9]* / = $way /" "$file" >$dir/file && cp $dir/file "$file"
	run env CG_FAMILY=gpu bin/fer-bench --conv 2x5x6x3x4x3 -n 1 --trace $dir/$way.json
	check "fer-bench takes $way" [ "$(grep -cE '"name": "conv2d[a-z_]* (im2col|col2im)"' $dir/$way.json)" -eq \
		"$([ $way = im2col ] && echo 3 || echo 0)" ]
done
run $tune -m vgg --width 4 -b 2 --infer -t .001
check "a model" [ $status -eq 0 ]
check "all of it is timed, norms too" all_is_timed
run $tune
check "nothing to do" fails 2 'nothing to do'
run env CG_CACHE=off $tune --gemm 3x4x5 -t .001
check "without a cache" grep -q 'not kept' $dir/err
run env CG_CACHE=/dev/null/none CG_FAMILY=cpu $tune $conv -q
check "a cache that cannot be written" fails 1 'not kept: /dev/null/none/choices-.*.txt: '
check "the rows are printed all the same" [ "$(grep -c '^conv2d ' $dir/out)" -eq 3 ]

echo "1..$count"
rm -rf $dir
exit $failed
