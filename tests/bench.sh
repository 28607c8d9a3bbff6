#!/bin/sh
# fer-bench from outside: rows as a table, CSV and JSON, and a trace whose events lie one after the other.
bench=bin/fer-bench
dir=tests/bench.tmp
. "${srcdir:-.}/tests/check.sh"
need_device
vgg="-m vgg --width 4 -b 4 -n 1"

run $bench $vgg --profile --trace $dir/trace.json
check "a model" [ $status -eq 0 ]
check "a training step and inference" [ "$(grep -cE '^(infer|train) +1 .* vgg$' $dir/out)" -eq 2 ]
check "its products" [ "$(grep -c '^product .*conv2d 4x22x22x8 3x3x8x8.* > 4x22x22x8$' $dir/out)" -eq 2 ]
check "its nodes" grep -q '^node  .*[0-9] max_pool 4x44x44x4 > 4x22x22x4$' $dir/out
python=${PYTHON:-python3}
if $python -c 'import json' 2>/dev/null; then
	$python - $dir/trace.json >$dir/out 2>$dir/err <<-'END'
	import json, sys
	events = json.load(open(sys.argv[1]))["traceEvents"]
	tracks = {e["tid"]: e["args"]["name"] for e in events if e["name"] == "thread_name"}
	assert sorted(tracks.values()) == ["infer vgg", "train vgg"], tracks
	for track in tracks:
	    mine = [e for e in events if e["ph"] == "X" and e["tid"] == track]
	    assert len(mine) > 12 and any(e["args"]["flops"] > 0 for e in mine)
	    assert all(e["args"]["bytes"] > 0 and ">" in e["args"]["shapes"] for e in mine)
	    ends = [e["ts"] + e["dur"] for e in mine]
	    assert all(e["dur"] > 0 and e["ts"] >= end - .01 for e, end in zip(mine[1:], ends))
	END
	check "the trace is JSON, its events have shapes, bytes and their order" [ $? -eq 0 ]
	$bench $vgg --infer -o json >$dir/out 2>$dir/err &&
		$python -c 'import json, sys; d = json.load(sys.stdin)
assert d["ceiling_flops"] > 0 and d["rows"][0]["what"] == "infer"
assert abs(sum(r["part"] for r in d["rows"][1:])) < 1' <$dir/out 2>$dir/err
	check "JSON" [ $? -eq 0 ]
else
	count=$((count + 1))
	echo "ok $count # SKIP $python is not there"
fi

run $bench --gemm 9x17x5 --conv 2x7x7x3x4x3 --conv 2x7x7x3x4x5x2 -n 1 -o csv
check "products by themselves" [ $status -eq 0 ]
check "each forward and backward, 10 columns" [ "$(grep -cE '^(gemm|conv),1(,[^,]*){7},[0-9x]+ (y|dx|dw)$' $dir/out)" -eq 9 ]
check "a line above" [ "$(head -1 $dir/out)" = what,count,ms,part,img_per_s,gflop_per_s,gb_per_s,ceiling,mib,name ]
run $bench
check "nothing to do" fails 2 'nothing to do'
run $bench --gemm 9x17
check "sizes of a product" fails 2 '"9x17" given, expected MxKxN'
run $bench --conv 1x2x3x4x5
check "sizes of a convolution" fails 2 'expected BxHxWxCxMxR'
run $bench -m vgg --patch 4
check "a setting of another model" fails 2 'vgg has no --patch'
run $bench -m vgg --trace $dir/none/t.json
check "a trace that cannot be written" fails 1 'none/t.json'

echo "1..$count"
rm -rf $dir
exit $failed
