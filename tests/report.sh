#!/bin/sh
# report.html: one file without anything from elsewhere, of one run and of several. On drawn faces, with very
# narrow networks.
train=bin/fer-train
report=bin/fer-report
dir=tests/report.tmp
. "${srcdir:-.}/tests/check.sh"
need_device

has() {		# FILE TEXT...
	file=$1
	shift
	for part; do
		grep -q -- "$part" "$file" || return 1
	done
}

pictures() {	# FILE: how many
	grep -o 'data:image/png' "$1" | wc -l
}

closed() {	# FILE: every element of these is closed
	for tag in table tr td svg figure section div dl html; do
		[ "$(grep -o "<$tag[ >]" "$1" | wc -l)" -eq "$(grep -o "</$tag>" "$1" | wc -l)" ] || return 1
	done
}

run bin/fer-data convert synth:280 -o $dir/faces.npz
small="-b 16 -d $dir/faces.npz -e 2 --progress none -q"
run $train -m vgg --width 4 $small -o $dir/vgg
page=$dir/vgg/report.html
check "fer-train leaves report.html" [ $status -eq 0 -a -s $page ]
check "it is whole" closed $page
check "with tables, figures, the paper's claims and the options" has $page 'Results, with 95' 'Learning curves' \
	'Confusion matrix' 'ROC curves' Reliability 'Class distribution' 'Each class' 'contradict each other' \
	'weight-decay = '
check "nothing comes from elsewhere" eval '! grep -Eq "(src|href)=\"(http|//|/|file)|url\(|@import|<script|<link" $page'
check "Grad-CAM for a convolutional network" has $page 'Where the network looked: Grad-CAM'
wrong=$(awk -F, 'NR > 1 && !$5' $dir/vgg/predictions.csv | wc -l)
check "pictures of mistakes and of maps ($(pictures $page), $wrong mistakes)" \
	[ "$(pictures $page)" -ge 12 -a "$(pictures $page)" -le 52 ]
accuracy=$(sed -n 's/.*"accuracy": \([0-9.]*\).*/\1/p' $dir/vgg/metrics.json | head -n 1)
check "the accuracy of metrics.json" has $page "<td>$(awk "BEGIN { printf \"%.2f\", 100 * $accuracy }")</td>"
run $train -m vit --depth 2 --dim 24 --heads 2 --patch 12 $small -o $dir/vit
check "rollout for a transformer" has $dir/vit/report.html 'attention rollout' 'Bright: patches (4 by 4)'
run $train -m vgg --width 4 $small --no-pictures --seed 7 -o $dir/bare
check "--no-pictures" eval '[ $status -eq 0 -a "$(pictures $dir/bare/report.html)" -eq 0 ]'

cp $page $dir/before
run $report $dir/vgg
check "fer-report makes the same again" eval '[ $status -eq 0 ] && cmp -s $page $dir/before'
run $report $dir/vgg $dir/vit/ -o $dir/two.html
check "of two runs" [ $status -eq 0 ]
check "it is whole, too" closed $dir/two.html
check "with their comparison and McNemar's test" has $dir/two.html '2 runs compared' 'Model comparison' McNemar \
	'vgg and vit' 'claimed by the paper' 'attention rollout' Grad-CAM
run $train -m alexnet --divisor 16 -b 16 -d synth:280 -e 1 --progress none -q --no-pictures -o $dir/drawn
run bin/fer-compare $dir/drawn --svg $dir/drawn.svg
check "what the paper claims of FER2013 is beside no other data" eval \
	'run $report $dir/drawn -o $dir/drawn.html && [ $status -eq 0 ] && ! grep -q "contradict each other" $dir/drawn.html && ! grep -q claimed $dir/drawn.svg'
run bin/fer-eval -c $dir/vgg/best.safetensors -d $dir/faces.npz --out $dir/eval -q
run $report $dir/eval --no-pictures -o $dir/eval.html
check "of an evaluation" has $dir/eval.html PrivateTest 'Confusion matrix'
run $report $dir/vgg -d synth:281 -o $dir/other.html
check "other data: no pictures, and why" eval \
	'[ $status -eq 0 -a "$(pictures $dir/other.html)" -eq 0 ] && has $dir/err "no pictures: .*hash"'
run env OCL_ICD_VENDORS=/nonexistent $report $dir/vgg -o $dir/blind.html
check "without a device: without maps" eval \
	'[ $status -eq 0 -a "$(pictures $dir/blind.html)" -gt 0 ] && ! has $dir/blind.html Grad-CAM'
run $report
check "no run" fails 2 'no run given'
run $report $dir/vgg $dir/vit
check "two runs and no file" fails 2 '--out is needed'
run $report $dir/nowhere
check "a run that is not there" fails 3 'nowhere: no metrics.json'
sed 's/,PublicTest,/,PublicTest,nobody/' $dir/vgg/predictions.csv >$dir/eval/predictions.csv
run $report $dir/eval -o $dir/bad.html
check "predictions that are damaged" fails 3 'predictions.csv'
check "leave no file" [ ! -e $dir/bad.html ]

echo "1..$count"
rm -rf $dir
exit $failed
