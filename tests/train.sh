#!/bin/sh
# fer-train and fer-eval from outside: the run's folder, the same bits for the same seed and after an
# interruption, exit codes and messages. On drawn faces, with a very narrow network.
train=bin/fer-train
eval=bin/fer-eval
dir=tests/train.tmp
. "${srcdir:-.}/tests/check.sh"
need_device

tensors() {	# FILE: a safetensors file without its header
	tail -c +$(($(od -An -t u8 -N 8 "$1") + 9)) "$1"
}

same() {	# DIR DIR: the same weights and moments, the same columns that hold no time
	for file in last best; do
		tensors "$1/$file.safetensors" >$dir/a
		tensors "$2/$file.safetensors" >$dir/b
		[ -s $dir/a ] && cmp -s $dir/a $dir/b || return 1
	done
	cut -d, -f1-11,15 "$1/summary.csv" >$dir/a
	cut -d, -f1-11,15 "$2/summary.csv" >$dir/b
	cmp -s $dir/a $dir/b
}

rows() {	# FILE N: a csv with a header and N rows
	[ "$(wc -l <"$1")" -eq $(($2 + 1)) ]
}

header='epoch,step,lr,train_loss,train_acc,val_loss,val_acc,val_precision,val_recall,val_f1,val_auc'
header=$header,epoch_seconds,train_img_per_s,val_seconds,best,elapsed_seconds
vgg="-m vgg --width 4 -b 8 -d synth:400 -e 4 --ema .9 --progress plain"
small="-m vgg --width 4 -b 16 -d synth:140 -e 1 --progress none"

# A whole run.
run $train $vgg -o $dir/whole
check "a run ends with 0" [ $status -eq 0 ]
for file in args.ini env.json train.log summary.csv metrics.json last.safetensors \
	best.safetensors confusion.csv predictions.csv classes.svg confusion.svg curves.svg \
	reliability.svg roc.svg report.html; do
	check "it leaves $file" [ -s $dir/whole/$file ]
done
check "summary.csv has its columns" [ "$(head -n 1 $dir/whole/summary.csv)" = "$header" ]
check "and a row an epoch" rows $dir/whole/summary.csv 4
check "predictions.csv has a row a validation image" rows $dir/whole/predictions.csv 70
check "confusion.csv has a row a class" rows $dir/whole/confusion.csv 7
check "train.log has the epochs" grep -q '^epoch 4/4 ' $dir/whole/train.log
check "stdout has the result" grep -q -i accuracy $dir/out

# Repeating it, from its own args.ini.
run $train --config $dir/whole/args.ini --progress none -o $dir/again
check "the same options and seed give the same bits" same $dir/whole $dir/again
run $train $vgg --seed 7 -o $dir/seed
check "another seed gives other bits" eval '[ $status -eq 0 ] && ! same $dir/whole $dir/seed'

# Interrupted in the second epoch: waits a little longer each time it did not get past its first update.
for pause in .01 .02 .04 .08 .16 .32; do
	rm -rf $dir/cut
	$train $vgg -o $dir/cut >$dir/out 2>$dir/err &
	pid=$!
	until [ "$(wc -l 2>/dev/null <$dir/cut/summary.csv)" = 2 ] || ! kill -0 $pid 2>/dev/null; do
		sleep .02
	done
	sleep $pause
	kill -INT $pid
	wait $pid
	status=$?
	! grep -q 'after update [1-9]' $dir/err || break
done
check "SIGINT came in mid-epoch" grep -q 'after update [1-9]' $dir/err
check "SIGINT ends a run with 130" [ $status -eq 130 ]
check "it says how to go on" grep -q -- "--resume $dir/cut" $dir/err
check "it stopped before the end" eval '! rows $dir/cut/summary.csv 4'
cp -r $dir/cut $dir/cut2
run $train --resume $dir/cut --progress none
check "the rest ends with 0" [ $status -eq 0 ]
check "resumed, the bits are those of an uninterrupted run" same $dir/whole $dir/cut
cp $dir/cut/last.safetensors $dir/before
run $train --resume=$dir/cut --progress none
check "nothing is left to do after the end" [ $status -eq 0 ]
check "and nothing changes" cmp -s $dir/before $dir/cut/last.safetensors
run $train --resume $dir/cut -e 5 --progress none
check "more epochs can be added" rows $dir/cut/summary.csv 5

$train $vgg -e 500 -o $dir/term >$dir/out 2>$dir/err &
pid=$!
until [ -s $dir/term/summary.csv ] || ! kill -0 $pid 2>/dev/null; do
	sleep .02
done
kill -USR1 $pid
until grep -q 'checkpoint saved' $dir/term/train.log || ! kill -0 $pid 2>/dev/null; do
	sleep .02
done
check "SIGUSR1 saves a checkpoint and the run goes on" [ -s $dir/term/last.safetensors ]
kill -TERM $pid
wait $pid
check "SIGTERM ends a run with 143" [ $? -eq 143 ]
run $train $vgg -e 500 --time-limit 1 -o $dir/limit
check "a time limit ends it with 0" [ $status -eq 0 ]

# Parts that are not trained.
number() {	# NAME: of the dry run's line NAME
	sed -n "s/^$1 *\([0-9.]*\) .*/\1/p" $dir/out
}
less() {	# A B: A < B
	[ -n "$1" ] && ${AWK:-awk} "BEGIN { exit !($1 < $2) }"
}
before_head() {	# FILE: a checkpoint's values that lie before the classifier's
	from=$(LC_ALL=C sed -n 's/.*"classifier.weight":{[^}]*"data_offsets":\[\([0-9]*\),.*/\1/p' "$1")
	tensors "$1" | head -c "$from"
}
run $train $vgg -e 1 --freeze backbone --pretrained $dir/whole/best.safetensors -o $dir/frozen
before_head $dir/whole/best.safetensors >$dir/a
before_head $dir/frozen/best.safetensors >$dir/b
check "frozen weights and statistics keep their bits" eval '[ -s $dir/a ] && cmp -s $dir/a $dir/b'
check "the classifier is trained" \
	eval '! cmp -s $dir/whole/best.safetensors $dir/frozen/best.safetensors'

# Early stopping and annealing: with rates too low to change a weight no epoch is better than the first.
still="--freeze backbone --lr 1e-30"
run $train $small -e 9 $still --patience 3 --sched plateau --plateau-patience 1 -o $dir/still
check "a run that gets no better ends early, with 0" \
	eval '[ $status -eq 0 ] && rows $dir/still/summary.csv 4 && grep -q "no better value" $dir/err'
check "its rate was halved after two such epochs" \
	[ "$(cut -d, -f3 $dir/still/summary.csv | tr '\n' ' ')" = "lr 1e-30 1e-30 1e-30 5e-31 " ]
run $train $small -e 2 $still --sched const --warmup-epochs 2 -o $dir/warm
check "the rate rises in the first epochs" \
	[ "$(cut -d, -f3 $dir/warm/summary.csv | tr '\n' ' ')" = "lr 5e-31 1e-30 " ]

# What changes a run; 100 rows have classes of two sizes.
run $train $small --limit 100 -o $dir/plain
for option in '--mixup .4' '--smoothing 0' '--head-lr-mult 3' '--layer-decay .5' \
	'--class-weights balanced'; do
	rm -rf $dir/changed
	run $train $small --limit 100 $option -o $dir/changed
	check "$option changes it" eval '[ $status -eq 0 ] && ! same $dir/plain $dir/changed'
done

# A preset's rate is the model's: what trains a network with norms lets others diverge.
for case in 'alexnet 0.05 --divisor 16' 'resnet50v2 0.1 --divisor 16' 'vit 1e-3 --depth 1' 'vgg 0.1 --width 2'; do
	set -- $case
	model=$1 rate=$2
	shift 2
	run $train -m $model "$@" -d synth:20 -b 4 --preset gpu-10min --img-size 48 --dry-run
	check "--preset gpu-10min of $model" grep -q "^optimiser .* rate $rate, .*; batch 4\$" $dir/out
done
${AWK:-awk} 'BEGIN {
	print "emotion,pixels,Usage"
	for (row = 0; row < 40; row++) {
		printf "cats,"
		for (i = 0; i < 48 * 48; i++)
			printf "%d ", (i * row + i) % 256
		print (row < 30 ? ",Training" : ",PublicTest")
	}
}' >$dir/cats.csv
run $train $small -d $dir/cats.csv -o $dir/none
check "a single class is refused before it is trained" fails 3 'cats.csv: only one class (cats)'
run $train $small --preset finetune -o $dir/none
check "--preset finetune needs weights" fails 2 'finetune needs --pretrained'
run $train $small --preset finetune --pretrained $dir/whole/best.safetensors -o $dir/tuned
check "and begins with them" eval '[ $status -eq 0 ] && grep -q "^head-lr-mult = 10\$" $dir/tuned/args.ini'
run $train $small --dry-run
flops=$(number arithmetic) memory=$(number memory)
# What is frozen has no moments, in memory; a checkpoint of an interrupted run has them all the same.
held() {	# FREEZE: MiB with data and parameters
	$train $small --opt adam --freeze $1 --dry-run 2>/dev/null | sed -n 's/^ *\([0-9.]*\) MiB with data.*/\1/p'
}
less=$(held backbone)
more=$(held none)
check "frozen weights have no moments: $less MiB, not $more" ${AWK:-awk} "BEGIN { exit !($less < $more) }"
frozen="-m vgg --width 4 -b 16 -d synth:140 --freeze 2 --opt adam --lr 1e-3 --sched const --progress none"
run $train $frozen -e 2 -o $dir/straight
run $train $frozen -e 1 -o $dir/later
run $train --resume $dir/later -e 2 --progress none
check "resumed with frozen weights, the bits are those of one run" same $dir/straight $dir/later

run $train $small --freeze 3 --dry-run
check "frozen stages take less arithmetic" less "$(number arithmetic)" "$flops / 2"
check "and less memory" less "$(number memory)" "$memory"
run $train $small --freeze 5 -o $dir/none
check "a stage that is not there" fails 2 'vgg has 4 stages'
run $train $small --freeze head -o $dir/none
check "no such part" fails 2 'expected none, backbone or 1..4'
run $train $small --layer-decay 0 -o $dir/none
check "a rate of 0" fails 2 'layer-decay'

# What must not be resumed.
cp $dir/cut2/last.safetensors $dir/before
run $train --resume $dir/cut2 -d synth:401
check "other data are refused" fails 6 'last.safetensors: the run.s data have hash'
run $train --resume $dir/cut2 -m alexnet
check "another model is refused" fails 6 'last.safetensors: holds vgg'
run $train --resume $dir/cut2 --width 5
check "another width is refused" fails 6 'last.safetensors: holds vgg'
run $train --resume $dir/cut2 -b 16
check "another batch is refused" fails 6 'has .* batch=8 .* now .* batch=16'
run $train --resume $dir/nowhere
check "a run that is not there is refused" fails 6 nowhere
check "the checkpoint is as it was" cmp -s $dir/before $dir/cut2/last.safetensors
head -c 5000 $dir/before >$dir/cut2/last.safetensors
run $train --resume $dir/cut2
check "a checkpoint cut short is refused" fails 6 last.safetensors
head -c 4 $dir/before >$dir/cut2/last.safetensors
run $train --resume $dir/cut2
check "so is one of 4 bytes" fails 6 last.safetensors

# Checkpoints that fer-eval must not take.
best=$dir/whole/best.safetensors
size=$(wc -c <$best)
cp $best $dir/nan.safetensors
printf '\000\000\300\177' | dd of=$dir/nan.safetensors bs=1 seek=$((size - 4)) conv=notrunc 2>/dev/null
run $eval -c $dir/nan.safetensors -d synth:400
check "a NaN is refused" fails 6 'nan.safetensors: .*nan'
sed 's/fer.model/fer.modem/' $best >$dir/foreign.safetensors
run $eval -c $dir/foreign.safetensors -d synth:400
check "so is a file without a model" fails 6 'foreign.safetensors: not a checkpoint'
sed 's/width=4/width=5/' $best >$dir/wide.safetensors
run $eval -c $dir/wide.safetensors -d synth:400
check "and shapes that do not fit" fails 6 wide.safetensors
run $eval -c $dir/nowhere -d synth:400
check "and a file that is not there" fails 6 nowhere

# Evaluation.
run $eval -c $best -d synth:400 --progress none
check "fer-eval ends with 0" [ $status -eq 0 ]
check "it names the classes" grep -q surprise $dir/out
run $eval -c $best -d synth:400 --split public --json --out $dir/eval
check "JSON on stdout" grep -q '"accuracy"' $dir/out
check "the measures are those of the run" \
	[ "$(grep -m 1 '"accuracy":' $dir/out)" = "$(grep -m 1 '"accuracy":' $dir/whole/metrics.json)" ]
check "files on request" [ -s $dir/eval/metrics.json -a -s $dir/eval/confusion.csv ]
for tta in flip tencrop; do
	run $eval -c $best -d synth:400 --tta $tta --temperature auto --format csv
	check "--tta $tta" [ $status -eq 0 ]
done

# Votes as FER+ has them: for the label, but "not a face" for disgust, and 6 of 10 for happy where the
# label is sad.
run $eval -c $best -d synth:400 --split all --out $dir/all --json
echo 'Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF' \
	>$dir/votes.csv
cat $dir/all/predictions-Training.csv $dir/all/predictions-PublicTest.csv \
	$dir/all/predictions-PrivateTest.csv | awk -F, '
	BEGIN { n = split("neutral happy surprise sad angry disgust fear contempt unknown none", name, " ") }
	$1 != "row" {
		line = $2 ","
		for (i = 1; i <= n; i++) {
			votes = name[i] == $3 && $3 != "disgust" ? 10 : 0
			if ($3 == "disgust" && name[i] == "none")
				votes = 10
			if ($3 == "sad")
				votes = name[i] == "happy" ? 6 : name[i] == "sad" ? 4 : 0
			line = line "," votes
		}
		print line
	}' >>$dir/votes.csv
run $eval -c $best -d synth:400 --split public --ferplus $dir/votes.csv --json --out $dir/ferplus
awk -F, 'NR > 1 && $3 != "disgust" {
		n++
		votes = $3 == "sad" ? ($4 == "happy" ? .6 : $4 == "sad" ? .4 : 0) : $3 == $4
		hit += $3 == "sad" ? $4 == "happy" : $3 == $4
		sum += votes
		sad += $3 == "sad"
	}
	END { printf "%d %.6f %.6f %.6f %.6f\n", n, hit / n, sum / n, 1 - sad / n, 1 - .6 * sad / n }' \
	$dir/ferplus/predictions.csv >$dir/a
sed -n '/"ferplus":/,$p' $dir/out | awk -F'[:,]' '
	/"label_agreement"/ { label = $2 } /"vote_share"/ { share = $2 } /"label_vote_share"/ { own = $2 }
	/"n"/ { n = $2 } /"accuracy"/ { hit = $2 }
	END { printf "%d %.6f %.6f %.6f %.6f\n", n, hit, share, label, own }' >$dir/b
check "agreement with FER+ is what predictions and votes say ($(cat $dir/b))" cmp -s $dir/a $dir/b
check "and the labels stay FER2013's" \
	[ "$(grep -m 1 '"accuracy":' $dir/out)" = "$(grep -m 1 '"accuracy":' $dir/eval/metrics.json)" ]
run $eval -c $best -d synth:400 --ferplus $dir/none.csv
check "votes that are not there" fails 3 none.csv
run $eval -c $best -d synth:400 --min-acc 1 --progress none
check "below --min-acc" fails 7 'below 1'

# Usage. Nothing may be written.
run $train $small --lrr 1 -o $dir/none
check "an unknown flag" fails 2 'did you mean --lr'
run $train -m lenet -d synth -o $dir/none
check "an unknown model" fails 2 'lenet.*alexnet|.*vgg'
run $train $small --fc 8 -o $dir/none
check "a setting of another model" fails 2 'vgg has no --fc'
run $train $small --width 0 -o $dir/none
check "a setting out of range" fails 2 'an integer in 1..512'
run $train $small --crop 49 -o $dir/none
check "a crop larger than the images" fails 2 'images are 48x48'
run $train $small -o $dir/whole
check "a folder in use" fails 2 'overwrite'
run $train -m vgg -d $dir/none.csv -o $dir/none
check "data that are not there" fails 3 none.csv
run env OCL_ICD_VENDORS=/nonexistent $train $small -o $dir/none
check "no OpenCL device" fails 4 device
run $train $small --device nosuchdevice -o $dir/none
check "no such device" fails 4 nosuchdevice
run $train $small --lr 1e30 --clip-norm 0 -e 3 -o $dir/huge
check "a loss that is not finite" fails 5 'not finite'
rm -rf $dir/huge
run $train $small --dry-run -o $dir/none
check "a dry run" [ $status -eq 0 ]
check "prints what a step needs" grep -q '^memory' $dir/out
run $train $small --profile -o $dir/none
check "a profile" [ $status -eq 0 ]
check "nothing was written" [ ! -e $dir/none ]
stale='epoch-007.safetensors epoch-1000.safetensors last.safetensors.12.tmp summary.csv.tmp predictions.csv'
foreign='epoch-x.safetensors epoch-007.safetensors.old notes.txt best.tmp last.safetensors.a.tmp'
for file in $stale $foreign; do
	echo old >$dir/again/$file
done
run $train $small --overwrite -o $dir/again
check "--overwrite replaces a run" rows $dir/again/summary.csv 1
check "and removes all that a run writes" [ -z "$(cd $dir/again && grep -lx old $stale 2>/dev/null)" ]
check "and nothing else" [ "$(cd $dir/again && grep -lx old $foreign | wc -l)" -eq 5 ]

echo "1..$count"
rm -rf $dir
exit $failed
