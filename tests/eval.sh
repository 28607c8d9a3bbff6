#!/bin/sh
# Judging several networks: ensembles, temperature, McNemar's test, and runs side by side. The arithmetic is
# done again by awk from the files of predictions.
train=bin/fer-train
eval=bin/fer-eval
compare=bin/fer-compare
dir=tests/eval.tmp
data=synth:210
. "${srcdir:-.}/tests/check.sh"
need_device

value() {	# KEY [FILE]: the first value of a key of JSON
	sed -n "s/^ *\"$1\": *\"\{0,1\}\([^\",]*\).*/\1/p" "${2:-$dir/out}" | head -n 1
}

mean_of() {	# FILE FILE MEAN: are the probabilities of the third the mean of the others?
	paste -d, "$1" "$2" "$3" | ${AWK:-awk} -F, 'NR > 1 {
		for (i = 7; i <= 13; i++) {
			d = ($i + $(i + 13)) / 2 - $(i + 26)
			if (d * d > 1e-12)
				bad++
			n++
		}
	} END { exit bad > 0 || n != 490 }'
}

only_right() {	# FILE FILE: images that only the first has right
	paste -d, "$1" "$2" | ${AWK:-awk} -F, 'NR > 1 && $5 == 1 && $18 == 0' | wc -l | tr -d ' '
}

mcnemar() {	# B C: the exact p-value, two-sided
	${AWK:-awk} -v b="$1" -v c="$2" 'BEGIN {
		n = b + c
		k = b < c ? b : c
		for (i = 0; i <= k; i++) {
			term = 1
			for (j = 1; j <= i; j++)
				term *= (n - i + j) / j
			sum += term
		}
		p = 2 * sum * exp(-n * log(2))
		print p < 1 ? p : 1
	}'
}

near() {	# A B
	${AWK:-awk} "BEGIN { d = $1 - $2; exit !(d * d < 1e-12) }"
}

small="-d $data -b 8 --progress none"
run $train $small -m vgg --width 8 -e 12 -o $dir/one
check "one network" [ $status -eq 0 ]
run $train $small -m vit --depth 1 --dim 24 --heads 2 -e 2 --seed 42 -o $dir/two
check "another, of other size" [ $status -eq 0 ]
one=$dir/one/best.safetensors two=$dir/two/best.safetensors

for name in one two; do
	run $eval -c $dir/$name/best.safetensors -d $data --bootstrap 0 --out $dir/e$name
done
run $eval -c $one -c $two -d $data --bootstrap 0 --out $dir/both
check "both together" eval '[ $status -eq 0 ] && grep -q "probabilities of 2 networks" $dir/out'
check "have the mean of their probabilities" \
	mean_of $dir/eone/predictions.csv $dir/etwo/predictions.csv $dir/both/predictions.csv
run $eval -c $one -c $two -d $data --bootstrap 0 --json
for name in one two; do
	accuracy=$(value accuracy $dir/e$name/metrics.json)
	check "$name alone has its accuracy" grep -q "\"accuracy\": $accuracy\$" $dir/out
done
run $eval -c $one -c $one -d $data --bootstrap 0 --out $dir/same
check "twice the same is the same" \
	[ "$(value accuracy $dir/same/metrics.json)" = "$(value accuracy $dir/eone/metrics.json)" ]
run $eval -c $one -c $two -d $data --bootstrap 0 --temperature auto --json
t=$(value temperature)
check "a temperature for both" eval '[ $status -eq 0 ] && ! near $t 1'
loss=$(value log_loss_before_temperature)
run $eval -c $one -c $two -d $data --split public --bootstrap 0 --temperature auto --json
check "does not raise the loss where it was found" \
	${AWK:-awk} "BEGIN { exit !($(value log_loss) <= $(value log_loss_before_temperature)) }"
run $eval -c $one -c $two -d $data --tta tencrop --bootstrap 0
check "ten crops" [ $status -eq 0 ]
run $eval -c $one -c $dir/none -d $data
check "a network that is not there" fails 6 none

# McNemar's test.
b=$(only_right $dir/eone/predictions.csv $dir/etwo/predictions.csv)
c=$(only_right $dir/etwo/predictions.csv $dir/eone/predictions.csv)
run $eval -c $one -d $data --bootstrap 0 --json --compare $dir/etwo/metrics.json
check "a comparison counts what one alone has right" \
	[ "$(value only_this_right) $(value only_other_right)" = "$b $c" ]
check "and gives McNemar's exact p" near "$(value mcnemar_p)" "$(mcnemar $b $c)"
run $eval -c $one -d $data --bootstrap 0 --compare $dir/etwo
check "a folder does too" grep -q 'McNemar p = ' $dir/out
run $eval -c $one -d $data --split public --bootstrap 0 --compare $dir/etwo
check "other rows are refused" fails 3 'etwo: no predictions for PublicTest'
run $eval -c $one -d synth:211 --bootstrap 0 --compare $dir/etwo
check "so are other data" fails 3 'etwo: its data have hash'
run $eval -c $one -d $data --bootstrap 0 --compare $dir/none
check "and what is not there" fails 3 none

# The same as CSV.
cell() {	# ROWS NAME: column NAME of the (last) row of these images in $dir/out
	sed 's/"[^"]*"/quoted/g' $dir/out | ${AWK:-awk} -F, -v rows="$1" -v name="$2" 'NR == 1 { for (i = 1; i <= NF; i++) at[$i] = i; n = NF }
		NF != n { exit }
		$3 == rows { x = $at[name] }
		END { print x }'
}
run $eval -c $one -c $two -d $data --bootstrap 0 --format csv --compare $dir/etwo
for name in one two; do
	check "CSV has $name alone" grep -q ",member,.*,$(value accuracy $dir/e$name/metrics.json),.*$dir/$name/best" $dir/out
done
check "the last network is the last row" [ "$(cell member checkpoint)" = "$two" ]
check "the accuracy of both" [ "$(cell all accuracy)" = "$(value accuracy $dir/both/metrics.json)" ]
check "what they are compared with" [ "$(cell all compared_with)" = "$dir/etwo" ]
check "and McNemar's p" near "$(cell all mcnemar_p)" "$(mcnemar "$(cell all only_this_right)" \
	"$(cell all only_other_right)")"

# Side by side.
run $compare $dir/eone $dir/etwo/metrics.json $dir/both
check "three side by side" eval '[ $status -eq 0 ] && [ $(wc -l <$dir/out) -eq 4 ]'
run $compare $dir/eone $dir/etwo --svg $dir/figure.svg
check "the comparison as a figure" eval '[ $status -eq 0 ] && grep -q "eone</text>" $dir/figure.svg &&
	grep -q "etwo</text>" $dir/figure.svg && grep -q "</svg>" $dir/figure.svg'
run $compare $dir/eone --svg $dir/nowhere/figure.svg
check "that cannot be written" fails 1 nowhere/figure.svg
run $compare $dir/etwo $dir/eone --format csv
check "the numbers are those of the evaluation" eval \
	'[ "$(sed -n 3p $dir/out | cut -d, -f11)" = "$(value accuracy $dir/eone/metrics.json)" ]'
check "and of McNemar's test" \
	[ "$(sed -n 3p $dir/out | cut -d, -f20-21)" = "$b,$c" ]
run $compare $dir/one $dir/two --json
check "runs have epochs and parameters" eval \
	'[ "$(value epochs)" = 12 ] && [ "$(value parameters)" = $(value parameters $dir/one/metrics.json) ]'
run $compare $dir/one $dir/etwo
check "without common images there is no test" grep -q 'no images in common' $dir/err
run $eval -c $one -d synth:211 --bootstrap 0 --out $dir/other
run $compare $dir/eone $dir/other
check "other data are refused by name" fails 3 'eval.tmp/other: its data have hash'
run $compare $dir/none
check "so is what is not there" fails 3 none
run $compare
check "and nothing at all" fails 2 'no run given'

echo "1..$count"
rm -rf $dir
exit $failed
