#!/bin/sh
# fer-predict on pictures: rows in each format, bad files beside good ones, lists and folders; and that it sees what
# fer-eval sees. The pictures are those of golden/own.zip, which golden/make_pictures.py drew.
dir=tests/predict_pictures.tmp
. "${srcdir:-.}/tests/check.sh"
need_device
own=${srcdir:-.}/tests/golden/own.zip
bin/fer-data check --img-size 24 "$own" 2>&1 | grep -q 'build is without' && skip_all "built without libjpeg or libpng"
command -v unzip >/dev/null || skip_all "no unzip"
unzip -q "$own" -d $dir 'shapes/*' || exit 1
shapes=$dir/shapes

# Own data: train, measure, predict.
run bin/fer-train -m vgg -d "$own" --img-size 24 --width 8 -e 12 -b 6 --no-augment --val-fraction .2 --seed 3 -o $dir/run
check "own pictures are trained on" [ $status -eq 0 ]
net=$dir/run/best.safetensors
run bin/fer-eval -c $net -d $shapes --split all -o $dir/eval
check "and measured, as a folder" [ $status -eq 0 ]
check "by their names" grep -q '^row,.*,p_Stripes,p_disc,p_square$' $dir/eval/predictions-PrivateTest.csv

run bin/fer-predict -c $net -r --format csv --batch 5 $shapes/test
check "a folder" [ "$status:$(wc -l <$dir/out)" = 0:13 ]
check "csv has a header" [ "$(head -1 $dir/out)" = "file,label1,p1,label2,p2,label3,p3,error" ]
cut -d, -f2 $dir/out | sed 1d >$dir/predicted
${AWK:-awk} -F, 'NR > 1 { print $4 }' $dir/eval/predictions-PrivateTest.csv >$dir/evaluated
check "the classes that fer-eval finds" cmp $dir/predicted $dir/evaluated
check "with the same probabilities" ${AWK:-awk} -F, '
	NR == FNR { if (FNR > 1) top[FNR] = $7 > $8 ? ($7 > $9 ? $7 : $9) : ($8 > $9 ? $8 : $9); next }
	FNR > 1 && ((d = $3 - top[FNR]) > 1e-4 || d < -1e-4) { print FNR, $3, top[FNR]; bad = 1 }
	END { exit bad }' $dir/eval/predictions-PrivateTest.csv $dir/out

# Bad files
good=$shapes/test/disc/11.png
head -c 60 $good >$dir/cut.png
echo text >$dir/text.jpg
mkdir $dir/empty
cp $good "$dir/a, \"b\".png"
run bin/fer-predict -c $net --format csv --top 1 $good $dir/cut.png $dir/none.jpg $dir/text.jpg $dir/empty "$dir/a, \"b\".png"
check "bad files do not stop the rest" [ "$status:$(wc -l <$dir/out)" = 8:7 ]
check "a picture cut short" grep -q '/cut.png,,,damaged: ' $dir/out
check "a file that is not there" grep -q '/none.jpg,,,No such file or directory$' $dir/out
check "a file that is no picture" grep -q '/text.jpg,,,neither JPEG nor PNG$' $dir/out
check "a folder without pictures" grep -q '/empty,,,a folder without JPEG or PNG pictures$' $dir/out
check "quotes" grep -q '/a, ""b"".png",[a-zA-Z]*,[01]\.[0-9]*,$' $dir/out
check "how many" [ "$(cat $dir/err)" = "fer-predict: 4 of 6 pictures cannot be read" ]
check "the good one has no error" grep -q '/11.png,[a-zA-Z]*,[01]\.[0-9]*,$' $dir/out

# JSON lines
run bin/fer-predict -c $net --format jsonl $good $dir/cut.png "$dir/a, \"b\".png" "$(printf '%s/\377\t.png' $dir)"
check "a JSON line each" [ "$status:$(wc -l <$dir/out)" = 8:4 ]
check "with the likeliest" grep -q '^{"file": ".*11.png", "top": \[{"label": "[a-zA-Z]*", "p": [0-9.e-]*}, ' $dir/out
check "or the error" grep -q '^{"file": ".*cut.png", "error": "damaged: .*"}$' $dir/out
if command -v python3 >/dev/null; then
	check "valid JSON" python3 -c 'import json, sys; [json.loads(l) for l in open(sys.argv[1], encoding="utf-8")]' $dir/out
else
	count=$((count + 1))
	echo "ok $count # SKIP no python3"
fi

# Where names come from
printf '%s\r\n\n%s' $good $dir/cut.png >$dir/list
run bin/fer-predict -c $net --format csv --list $dir/list
check "--list" [ "$status:$(wc -l <$dir/out)" = 8:3 ]
run bin/fer-predict -c $net --format csv - <$dir/list
check "a list on standard input" [ "$status:$(wc -l <$dir/out)" = 8:3 ]
run bin/fer-predict -c $net --format csv --top 1 $good
sed 's/^[^,]*//' $dir/out >$dir/named
run bin/fer-predict -c $net --format csv --top 1 - <$good
check "a picture on standard input" [ "$status:$(sed 's/^[^,]*//' $dir/out)" = "0:$(cat $dir/named)" ]
run bin/fer-predict -c $net $shapes/test/disc
check "a table" [ "$status:$(grep -c '/disc/1[0-9]\..*  [a-zA-Z]* [0-9.]* %  [a-zA-Z]* [0-9.]* %  ' $dir/out)" = 0:4 ]
run bin/fer-predict -c $net $shapes/test
check "without -r only the folder itself" [ $status -eq 8 ]
run bin/fer-predict -c $net --format csv -o $dir/rows.csv $good
check "-o" [ "$status:$(wc -l <$dir/rows.csv):$(wc -c <$dir/out)" = 0:2:0 ]
run bin/fer-predict -c $net
check "no picture given" [ $status -eq 2 ]
: >$dir/list
run bin/fer-predict -c $net --list $dir/list
check "an empty list" [ $status -eq 3 ]
run bin/fer-predict -c $net --list $dir/nolist
check "no list" [ $status -eq 3 ]

# Where it looked
run bin/fer-predict -c $net -r --format csv --batch 5 --explain gradcam --maps $dir/maps/deep $shapes/test $dir/cut.png
cut -d, -f2 $dir/out | sed '1d;$d' >$dir/explained
check "--explain says the same of the pictures" cmp $dir/predicted $dir/explained
check "and leaves a map of each that can be read" \
	[ "$status:$(ls $dir/maps/deep | grep -c '^00[01][0-9]-.*-gradcam.png$')" = 8:12 ]
run bin/fer-predict -c $net --format csv $dir/maps/deep
check "as a picture" [ "$status:$(wc -l <$dir/out)" = 0:13 ]
run bin/fer-predict -c $net --explain rollout --maps $dir/maps $shapes/test
check "rollout of a network without attention" [ "$status:$(wc -l <$dir/err)" = 2:1 ]

echo "1..$count"
rm -rf $dir
exit $failed
