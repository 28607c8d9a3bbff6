#!/bin/sh
# fer-import and fer-export from outside: there and back again, forms of files, exit codes and messages.
dir=tests/export.tmp
. "${srcdir:-.}/tests/check.sh"
need_device

run() {		# PROGRAM ARGUMENT...: its status in $status, its messages in $dir/err
	"$@" >/dev/null 2>$dir/err
	status=$?
}

run bin/fer-import "${srcdir:-.}/tests/golden/vit-google.npz" -o $dir/a.safetensors
check "weights are imported" [ $status -eq 0 ]
run bin/fer-export -c $dir/a.safetensors -o $dir/b.safetensors
check "and exported under our own names" cmp -s $dir/a.safetensors $dir/b.safetensors
run bin/fer-export -c $dir/a.safetensors --to torch-names -o $dir/c.safetensors
check "PyTorch's names" grep -aq blocks.0.norm1.weight $dir/c.safetensors
run bin/fer-import $dir/c.safetensors -o $dir/d.safetensors
check "come back with their settings, heads and GELU" cmp -s $dir/a.safetensors $dir/d.safetensors
run bin/fer-export -c $dir/a.safetensors -o $dir/e.onnx
check "ONNX" grep -aq LayerNormalization $dir/e.onnx
run bin/fer-export -c $dir/a.safetensors -o $dir/f --format onnx
check "the same under any name" cmp -s $dir/e.onnx $dir/f

run bin/fer-export -c $dir/a.safetensors -o $dir/f.bin
check "a name that tells no format" fails 2 'ends in neither'
run bin/fer-export -c $dir/a.safetensors -o $dir/f.onnx --to torch-names
check "PyTorch's names are not for ONNX" fails 2 'is for safetensors'
run bin/fer-export -c $dir/c.safetensors -o $dir/f.onnx
check "what is no checkpoint" fails 6 'not a checkpoint'
run bin/fer-export -c $dir/a.safetensors -o $dir/nowhere/f.onnx
check "a folder that is not there" fails 1 nowhere
run bin/fer-import $dir/e.onnx -o $dir/g.safetensors
check "ONNX is not read" fails 6 e.onnx

echo "1..$count"
rm -rf $dir
exit $failed
