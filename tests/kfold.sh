#!/bin/sh
# Cross-validation: the folders of the folds and what they come to, interrupted and resumed, identical
# images kept together. On drawn faces and on tiny images, with a very narrow network.
train=bin/fer-train
dir=tests/kfold.tmp
. "${srcdir:-.}/tests/check.sh"
need_device

tensors() {	# FILE: a safetensors file without its header
	tail -c +$(($(od -An -t u8 -N 8 "$1") + 9)) "$1"
}

result() {	# DIR: what must be the same in two runs, but for times and texts
	cut -d, -f1-13 "$1/kfold.csv"
	cat "$1/predictions.csv"
	for fold in 1 2 3; do
		cat "$1/fold$fold/predictions.csv"
		tensors "$1/fold$fold/last.safetensors" | cksum
		cut -d, -f1-11,15 "$1/fold$fold/summary.csv"
	done
}

same() {	# DIR DIR
	result "$1" >$dir/a
	result "$2" >$dir/b
	[ -s $dir/a ] && cmp -s $dir/a $dir/b
}

# Column 7 is the accuracy; sd is over folds - 1.
mean_and_sd() {	# FILE: do the last two rows follow from those before?
	${AWK:-awk} -F, 'NR > 1 && $1 + 0 { n++; x[n] = $7; sum += $7 }
		$1 == "mean" { mean = $7 }
		$1 == "sd" { sd = $7 }
		END {
			for (i = 1; i <= n; i++)
				squares += (x[i] - sum / n) ^ 2
			a = mean - sum / n
			b = sd - sqrt(squares / (n - 1))
			exit !(n == 3 && a * a < 1e-20 && b * b < 1e-20)
		}' "$1"
}

rows_of() {	# FILE...: the rows of the data set that were judged, sorted
	cat "$@" | sed -n 's/^\([0-9][0-9]*\),.*/\1/p' | sort -n
}

run bin/fer-data convert synth:210 -o $dir/faces.npz
vgg="-m vgg --width 4 -b 8 -d $dir/faces.npz -e 2 --split kfold --kfold 3 --progress plain"

run $train $vgg -o $dir/whole
check "three folds end with 0" [ $status -eq 0 ]
for file in args.ini env.json train.log kfold.csv metrics.json predictions.csv confusion.csv \
	report.html curves.svg confusion.svg roc.svg reliability.svg classes.svg fold1/best.safetensors fold2/last.safetensors fold3/summary.csv fold3/metrics.json; do
	check "they leave $file" [ -s $dir/whole/$file ]
done
check "kfold.csv has a row a fold, mean and sd" [ "$(wc -l <$dir/whole/kfold.csv)" -eq 6 ]
check "mean and sd are those of the folds" mean_and_sd $dir/whole/kfold.csv
check "stdout has mean and sd" grep -q '^sd ' $dir/out
in_report() {	# is each row of kfold.csv in the report, accuracy in percent?
	while IFS=, read -r name trained rows epoch epochs val_acc accuracy rest; do
		[ "$name" = fold ] || grep -A 6 -F "<tr><td>$name</td>" "$1/report.html" |
			grep -qF "<td>$(${AWK:-awk} "BEGIN { printf \"%.2f\", 100 * $accuracy }")</td>" || return 1
	done <"$1/kfold.csv"
}
check "the report has each fold, mean and sd" in_report $dir/whole
check "and their means beside the paper's" grep -q 'whole, mean of folds</td>' $dir/whole/report.html
check "and a curve for each fold, and its key" [ "$(grep -c '^<path .*class="curve *c' $dir/whole/curves.svg)" -eq 6 ]
cp $dir/whole/report.html $dir/before
run bin/fer-report $dir/whole
check "fer-report makes the same of the folder" cmp -s $dir/whole/report.html $dir/before
run bin/fer-compare $dir/whole $dir/whole --format csv
check "fer-compare reads it" grep -q 'Training in 3 folds' $dir/out
rows_of $dir/whole/fold?/predictions.csv >$dir/rows
check "each training row is held out once" \
	eval '[ $(wc -l <$dir/rows) -eq 210 ] && [ $(uniq $dir/rows | wc -l) -eq 210 ]'
rows_of $dir/whole/predictions.csv >$dir/a
check "all of them together are in predictions.csv" cmp -s $dir/rows $dir/a

# Interrupted in the second fold, in mid-epoch if it can be.
for pause in .01 .02 .04 .08 .16 .32; do
	rm -rf $dir/cut
	$train $vgg -o $dir/cut >$dir/out 2>$dir/err &
	pid=$!
	until [ "$(wc -l 2>/dev/null <$dir/cut/fold2/summary.csv)" = 2 ] ||
		! kill -0 $pid 2>/dev/null; do
		sleep .02
	done
	sleep $pause
	kill -INT $pid
	wait $pid
	status=$?
	! grep -q 'after update [1-9]' $dir/err || break
done
check "SIGINT ends it with 130" [ $status -eq 130 ]
check "in the second fold" eval '[ ! -e $dir/cut/fold3 ] && grep -q "^fer-train: fold 2" $dir/err'
check "it says how to go on" grep -q -- "--resume $dir/cut\$" $dir/err
run $train --resume $dir/cut --progress none
check "the rest ends with 0" [ $status -eq 0 ]
check "resumed, the bits are those of an uninterrupted run" same $dir/whole $dir/cut
cp $dir/cut/fold1/last.safetensors $dir/before
run $train --resume $dir/cut -d synth:211
check "other data are refused" fails 6 'fold1/metrics.json: the fold.s data have hash'
run $train --resume $dir/cut --kfold 2
check "so are other folds" fails 6 'fold1/predictions.csv: these are other folds'
check "a fold that is done stays" cmp -s $dir/before $dir/cut/fold1/last.safetensors

# One fold, then the others.
run $train $vgg --fold 2 -o $dir/one
check "one fold alone" eval '[ $status -eq 0 ] && [ -s $dir/one/fold2/metrics.json ]'
check "does not make a cross-validation" eval '[ ! -e $dir/one/fold1 ] && [ ! -e $dir/one/kfold.csv ]'
run $train --resume $dir/one --fold all --progress none
check "with the others it is the same" same $dir/whole $dir/one
run $train $vgg --fold 3 --overwrite -o $dir/one
check "--overwrite removes old folds" eval '[ ! -e $dir/one/kfold.csv ] && [ ! -e $dir/one/fold1/metrics.json ]'

run $train $vgg --fold 4 -o $dir/none
check "a fold that is not there" fails 2 'expected all or 1..3'
run $train $vgg --kfold 1 -o $dir/none
check "one fold" fails 2 'kfold.*2..255'
check "nothing was written" [ ! -e $dir/none ]

# Images 8x8 in pairs; PublicTest has images of its own, or there is none.
images() {	# SPLIT FIRST N
	${AWK:-awk} -v split_name="$1" -v first="$2" -v n="$3" 'BEGIN {
		for (i = first; i < first + n; i++) {
			k = int(i / 2)
			line = k % 7 ","
			for (j = 0; j < 64; j++)
				line = line (j ? " " : "") (k * 37 + j * (k % 11 + 1)) % 256
			print line "," split_name
		}
	}'
}
{ echo emotion,pixels,Usage; images Training 0 84; images PublicTest 200 14; } >$dir/pairs.csv
{ echo emotion,pixels,Usage; images Training 0 84; } >$dir/alone.csv
tiny="-m vgg --width 2 --crop 8 -b 8 -e 1 --split kfold --kfold 3 --progress none"

twins() {	# DIR: how many rows held out have their image in training
	cat "$1"/fold?/predictions.csv | cut -d, -f6 | grep -c '^1$'
}
run $train $tiny -d $dir/pairs.csv -o $dir/pairs
check "identical images are in one fold" eval '[ $status -eq 0 ] && [ $(twins $dir/pairs) -eq 0 ]'
run $train $tiny -d $dir/pairs.csv --no-group-duplicates -o $dir/apart
check "or not, and then are told" eval '[ $status -eq 0 ] && [ $(twins $dir/apart) -gt 0 ]'
run $train $tiny -d $dir/pairs.csv --no-group-duplicates --drop-leaks -o $dir/dropped
check "or are left out of training" eval '[ $status -eq 0 ] && [ $(twins $dir/dropped) -eq 0 ]'
run $train $tiny -d $dir/alone.csv --val-fraction 0 -o $dir/alone
check "without PublicTest the next fold chooses" \
	grep -q '28 rows to train on, 28 to choose by, 28 held out' $dir/alone/train.log

# The paper's protocol is a cross-validation.
run $train -m vgg --width 2 --crop 8 -b 8 -d $dir/pairs.csv --preset paper --kfold 3 -e 1 --progress none \
	-o $dir/paper
check "--preset paper makes folds" [ -s $dir/paper/kfold.csv ]
for setting in 'split = kfold' 'sched = plateau' 'patience = 10' 'smoothing = 0'; do
	check "with $setting" grep -q "^$setting\$" $dir/paper/args.ini
done

echo "1..$count"
rm -rf $dir
exit $failed
