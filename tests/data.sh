#!/bin/sh
# fer-data from outside: what is malformed comes out as one line with file, line and reason and the
# right exit code; what is merely unusual is read. Then the real FER2013, where there is one: in
# ../shared beside the source tree or in $FER_SHARED.
data=bin/fer-data
dir=tests/data.tmp
. "${srcdir:-.}/tests/check.sh"

says() {	# STATUS MESSAGE: the last run ended so, with just this line on stderr
	[ $status -eq "$1" ] && [ "$(cat $dir/err)" = "fer-data: $2" ]
}

row() {		# LABEL N USAGE [FIRST]: a row of N pixels
	${AWK:-awk} -v label="$1" -v n="$2" -v usage="$3" -v first="${4:-0}" 'BEGIN {
		printf "%s,%s", label, first
		for (i = 1; i < n; i++)
			printf " %d", (i * 37 + label * 11) % 256
		print "," usage
	}'
}

good() {	# a header and three rows
	echo emotion,pixels,Usage
	row 0 16 Training
	row 3 16 PublicTest
	row 6 16 PrivateTest
}

bad() {		# TEXT LINE REASON: bad.csv is malformed there
	run $data check $dir/bad.csv
	check "$1" says 3 "$dir/bad.csv:$2: $3"
}

bad_file() {	# TEXT REASON: the same where no line is to blame
	run $data check $dir/bad.csv
	check "$1" says 3 "$dir/bad.csv: $2"
}

reads() {	# TEXT N SIDE: good.csv is read
	run $data check $dir/good.csv
	check "$1" [ "$status:$(cat $dir/out)" = "0:$dir/good.csv: ok, $2 images of ${3}x$3" ]
}

# Rows
{ good; row 1 15 Training; } >$dir/bad.csv
bad "a short row" 5 "15 pixels, expected 16"
{ good; row 1 17 Training; } >$dir/bad.csv
bad "a long row" 5 "17 pixels, expected 16"
{ good; row 1 16 Training 256; row 1 16 Training; } >$dir/bad.csv
bad "a value of 256" 5 'pixel 1 is "256", expected 0..255'
{ good; row 1 16 Training -1; } >$dir/bad.csv
bad "a value of -1" 5 'pixel 1 is "-1", expected 0..255'
{ good; row 1 16 Training x; } >$dir/bad.csv
bad "a letter" 5 'pixel 1 is "x", expected 0..255'
{ good; row 1 16 Training 1.5; } >$dir/bad.csv
bad "a fraction" 5 'pixel 1 is "1.5", expected 0..255'
{ good; row 1 16 Training 99999999999999999999; } >$dir/bad.csv
bad "a number of many digits" 5 'pixel 1 is "99999999999999999999", expected 0..255'
{ good; row 1 16 Training "$(printf '\033')[2J"; } >$dir/bad.csv
bad "a control character" 5 'pixel 1 is "?[2J", expected 0..255'
{ good; echo 1,,Training; } >$dir/bad.csv
bad "no pixels" 5 "0 pixels, expected 16"
{ good; row 7 16 Training; } >$dir/bad.csv
bad "a label out of range" 5 'label "7", expected 0..6'
{ good; row -1 16 Training; } >$dir/bad.csv
bad "a negative label" 5 'label "-1", expected 0..6'
{ good; row "" 16 Training; } >$dir/bad.csv
bad "no label" 5 'label "", expected 0..6'
{ good; row 1 16 Tset; } >$dir/bad.csv
bad "an unknown usage" 5 'usage "Tset", expected Training, PublicTest or PrivateTest'
{ good; echo 1,2; } >$dir/bad.csv
bad "a row of two fields" 5 "2 fields, expected 3"
{ good; row 1 16 Training,x; } >$dir/bad.csv
bad "a row of four fields" 5 "4 fields, expected 3"
{ echo emotion,pixels,Usage; row 1 15 Training; } >$dir/bad.csv
bad "images that are not square" 2 "15 pixels, not a square image"

# Files
{ echo emotion,Usage; row 1 16 Training; } >$dir/bad.csv
bad "no column pixels" 1 'no column "pixels" in the header'
row 1 16 Training >$dir/bad.csv
bad "no header" 1 'no column "emotion" in the header'
: >$dir/bad.csv
bad_file "an empty file" "empty file"
echo emotion,pixels,Usage >$dir/bad.csv
bad_file "a header only" "no rows below the header"
run $data check $dir/none.csv
check "no file" says 3 "$dir/none.csv: No such file or directory"
run $data check $dir
check "a folder" says 3 "$dir: no JPEG or PNG picture in it"

# gzip
{ good; for i in 1 2 3 4 5 6 7 8; do row $((i % 7)) 1600 Training; done; } | sed '2,4d' >$dir/long.csv
gzip -c $dir/long.csv >$dir/long.csv.gz
run $data check $dir/long.csv.gz
check "gzip" [ "$status:$(cat $dir/out)" = "0:$dir/long.csv.gz: ok, 8 images of 40x40" ]
size=$(wc -c <$dir/long.csv.gz)
for part in 100 $((size / 2)) $((size - 4)); do
	head -c $part $dir/long.csv.gz >$dir/cut.csv.gz
	run $data check $dir/cut.csv.gz
	check "gzip cut after $part of $((size)) bytes" \
		grep -q 'cut.csv.gz:.*the gzip stream breaks off: truncated file' $dir/err
	check "is malformed, one line" [ $status -eq 3 -a "$(wc -l <$dir/err)" -eq 1 ]
done
{ head -c 200 $dir/long.csv.gz; printf XXXX; tail -c +205 $dir/long.csv.gz; } >$dir/hurt.csv.gz
run $data check $dir/hurt.csv.gz
check "damaged gzip" [ $status -eq 3 -a "$(wc -l <$dir/err)" -eq 1 ]

# What is read all the same
good | sed 's/$/\r/' >$dir/good.csv
reads "CRLF" 3 4
good | sed '1s/.*/emotion, Usage, pixels/; s/^\([0-9]\),\(.*\),\(.*\)/\1,\3,\2/' >$dir/good.csv
reads "other order of columns, blanks in the header" 3 4
good | sed '1s/^/id,/; 2,$s/^/row,/' >$dir/good.csv
reads "another column" 3 4
good | sed '1s/^/\xef\xbb\xbf/' >$dir/good.csv
reads "a byte order mark" 3 4
good | sed '2,$s/,\(.*\),/,"\1",/' >$dir/good.csv
reads "quotes" 3 4
good | sed 's/ /  /g; 2s/,0/, 0/; 3s/,P/ ,P/' >$dir/good.csv
reads "more blanks" 3 4
good | tr -d '\n' | sed 's/Usage/Usage\n/; s/Training/Training\n/; s/PublicTest/PublicTest\n/' >$dir/good.csv
reads "no newline at the end" 3 4
{ good; echo; } >$dir/good.csv
reads "an empty line at the end" 3 4

{ echo pixels,Label; row 2 16 x | sed 's/^2,\(.*\),x/\1,2/'; } >$dir/good.csv
reads "no column Usage, another name of the label" 1 4
good | sed 's/PublicTest/Val/; s/PrivateTest/test/' >$dir/good.csv
reads "other words for the splits" 3 4
{ echo emotion,pixels; row 1 48 x | sed 's/,x$//'; } >$dir/good.csv
run $data check $dir/good.csv
check "48 values are RGB" [ "$status:$(cat $dir/out)" = "0:$dir/good.csv: ok, 1 images of 4x4 RGB" ]
run $data check --channels 1 $dir/good.csv
check "or grey" [ "$status:$(cat $dir/out)" = "0:$dir/good.csv: ok, 1 images of 4x4" ]

# Classes of its own
{ echo emotion,pixels; for c in owl cat owl bat; do row $c 16 x | sed 's/,x$//'; done; } >$dir/own.csv
run $data info --json $dir/own.csv
check "names as labels" grep -q '"classes": \["bat", "cat", "owl"\]' $dir/out
check "are counted" grep -q '"owl": 2' $dir/out
run $data info --json --class-names owl,cat,bat,dog $dir/own.csv
check "--class-names orders them" grep -q '"classes": \["owl", "cat", "bat", "dog"\]' $dir/out
run $data check --class-names owl,cat $dir/own.csv
check "and refuses others" says 3 "$dir/own.csv:5: class \"bat\" is none of owl, cat"
run $data check --class-names owl,cat,Owl $dir/own.csv
check "a name twice" says 3 'class "Owl" is given twice'
{ good; row 7 16 Training; } >$dir/own.csv
run $data check --class-names a,b,c,d,e,f,g,h $dir/own.csv
check "--class-names of numbers" [ $status -eq 0 ]
run $data check --class-names a,b,c,d,e,f,g $dir/own.csv
check "the number of names is the limit" says 3 "$dir/own.csv:5: label \"7\", expected 0..6"
{ good; row 1 16 Training; } | sed '2,$s/^0/Angry/; s/^3/sad/; s/^6/fear/; s/^1/disgust/' >$dir/own.csv
for c in happy surprise Neutral; do row $c 16 Training; done >>$dir/own.csv
run $data info --json $dir/own.csv
check "FER2013's seven by name keep its order" \
	grep -q '"angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"' $dir/out

# Several files; --json
good >$dir/good.csv
row 1 16 Training >$dir/bad.csv
run $data check $dir/good.csv $dir/bad.csv
check "one of two files is bad" [ $status -eq 8 ]
check "the other is still read" grep -q 'good.csv: ok' $dir/out
run $data info --json $dir/good.csv
check "info --json" grep -q '"contradicting": 0' $dir/out
run $data check --json $dir/bad.csv
check "an error in JSON" grep -q '"error": ".*no column' $dir/out
run $data look $dir/good.csv
check "an unknown verb" says 2 '"look" given, expected info, check, convert, dedup or folds'
run $data info
check "no file given" says 2 'info: no file given'

# Duplicates: rows 0 and 1 with two labels, and a twin of row 0 in each other split
{ good; row 0 16 Training; row 0 16 Training | sed 's/^0/5/'; row 0 16 PublicTest
	row 0 16 PrivateTest; row 3 16 PrivateTest; } >$dir/twins.csv
run $data info $dir/twins.csv
check "duplicates" grep -q '^duplicates  *5 rows .* 3 distinct images, 2 of them repeated, 1 ' $dir/out
check "twins of Training" grep -q 'PublicTest: 1 rows have the pixels of a Training row' $dir/out
check "twins of PublicTest" grep -q 'PrivateTest: 2 rows have the pixels of a Public' $dir/out
check "rows without twins" grep -q 'without twins  PrivateTest: 1 rows' $dir/out

run $data dedup $dir/twins.csv
check "dedup keeps the last split's" [ "$status:$(sed 1d $dir/out | tr '\n' ' ')" = \
	"0:0,Training,angry,repeats,6 1,PublicTest,happy,repeats,7 3,Training,angry,repeats,6 \
4,Training,surprise,repeats,6 5,PublicTest,angry,repeats,6 " ]
check "and says what it dropped" grep -q '^fer-data: 3 of 8 rows are left; dropped: Training 3, PublicTest 2, P' $dir/err
run $data dedup --drop-conflicts $dir/twins.csv -o $dir/clean.npz
check "contradicting ones may go" grep -q '^6,PrivateTest,angry,contradicting,$' $dir/out
run $data info $dir/clean.npz
check "and nothing repeats in what is left" grep -q '^duplicates  *0 rows repeat another: 2 distinct' $dir/out
run $data dedup $dir/twins.csv -o $dir/clean.csv
check "or a list of the rows" [ "$(tr '\n' ' ' <$dir/clean.csv)" = \
	"row,split,label 2,PrivateTest,neutral 6,PrivateTest,angry 7,PrivateTest,happy " ]

# Packed
run $data info $dir/twins.csv
sed 1d $dir/out >$dir/twins.info
run $data convert $dir/twins.csv -o $dir/twins.npz
check "convert" [ $status -eq 0 ]
run $data info $dir/twins.npz
check "the same is in the packed file" [ "$(sed 1d $dir/out)" = "$(cat $dir/twins.info)" ]
run $data convert $dir/twins.csv
check "convert needs --out" says 2 'convert: --out FILE.npz is needed'
run $data convert --val-fraction .5 $dir/clean.npz -o $dir/half.npz
check "a packed file is packed again" [ $status -eq 0 ]
if ${PYTHON:-python3} -c 'import numpy' 2>/dev/null; then
	check "NumPy reads it as README and man page say" ${PYTHON:-python3} -c '
import sys, numpy
d = numpy.load(sys.argv[1])
x = d["delta"].cumsum(1, "u1").cumsum(2, "u1")
rows = [l.split(",") for l in open(sys.argv[2])][1:]
assert (x.reshape(len(x), -1) == [[int(v) for v in r[1].split()] for r in rows]).all()
assert [str(v) for v in d["labels"]] == [r[0] for r in rows] and d["classes"][6] == b"neutral"
' $dir/twins.npz $dir/twins.csv
else
	count=$((count + 1))
	echo "ok $count # SKIP no NumPy"
fi

# Folds
{ echo emotion,pixels,Usage; for i in 0 1 2 3 4 5 6 7 8 9; do
	row 0 16 Training $i; row 3 16 Training $((i / 2 + 100)); done; row 1 16 PublicTest; } >$dir/folds.csv
run $data folds --kfold 5 $dir/folds.csv
check "folds: each Training row has one" [ "$status:$(sed 1d $dir/out | wc -l)" = 0:20 ]
check "of equal sizes and classes" [ "$(cut -d, -f3,4 $dir/out | sed 1d | sort | uniq -c | \
	${AWK:-awk} '{ printf "%s", $1 }')" = 2222222222 ]
check "identical images in one" [ "$(${AWK:-awk} -F, '$3 == "happy" { print int($1 / 4), $4 }' $dir/out | \
	sort -u | wc -l)" -eq 5 ]
run $data folds --kfold 1 $dir/folds.csv
check "one fold is none" [ $status -eq 2 ]

# Drawn faces
run $data info synth:70
check "synth is balanced" [ "$(grep -c '^[a-z]*  *10 ' $dir/out)" -eq 7 ]
run $data info synth:x
check "synth of no number" says 3 'synth:x: expected synth or synth:N with N in 7..1000000'

# FER2013
shared=${FER_SHARED:-${srcdir:-.}/../shared}
real=$shared/data/fer2013.csv.gz

cpu_ms() {	# COMMAND...: the processor's time that it takes, in $ms
	times >$dir/before
	"$@"
	times >$dir/after
	ms=$(cat $dir/before $dir/after | ${AWK:-awk} '!/^$/ { $0 = $0 " "; gsub(/[ms]/, " ")
		sum[++n] = 60000 * ($1 + $3) + 1000 * ($2 + $4) } END { print int(sum[4] - sum[2]) }')
}

facts='angry 3995 467 491 4953
disgust 436 56 55 547
fear 4097 496 528 5121
happy 7215 895 879 8989
sad 4830 653 594 6077
surprise 3171 415 416 4002
neutral 4965 607 626 6198
all 28709 3589 3589 35887
blank 12 images
1853 rows repeat another: 34034 distinct images, 1516 of them repeated, 57 with
PublicTest: 280 rows have the pixels of a Training row
PrivateTest: 288 rows have the pixels of a Training row
PrivateTest: 44 rows have the pixels of a PublicTest row
without twins PrivateTest: 3275 rows'
votes='neutral [0-9 ]* 12906
happy [0-9 ]* 9355
surprise [0-9 ]* 4462
sad [0-9 ]* 4371
angry [0-9 ]* 3111
fear [0-9 ]* 819
disgust [0-9 ]* 248
contempt [0-9 ]* 216
unknown [0-9 ]* 222
not a face [0-9 ]* 177
ties [0-9 ]* 1776
fear [0-9.]* [0-9.]* 16.9 [0-9.]*
happy [0-9.]* [0-9.]* 93.2 [0-9.]*
all [0-9.]* [0-9.]* 64.1 [0-9.]*'
if [ -f "$real" ]; then
	cpu_ms run $data info "$real"
	csv_ms=$ms
	tr -s ' ' <$dir/out >$dir/squeezed
	while read -r fact; do
		check "FER2013: $fact" grep -q -- "$fact" $dir/squeezed
	done <<-FACTS
	$facts
	FACTS
	run $data info "$real" --ferplus "$shared/data/fer2013new.csv"
	tr -s ' ' <$dir/out | sed -n '/^highest vote/,$p' >$dir/votes
	while read -r fact; do
		check "FER+: $fact" grep -q -- "^$fact\$" $dir/votes
	done <<-FACTS
	$votes
	FACTS
	run $data convert "$real" -o $dir/fer2013.npz
	check "FER2013 packed: $(wc -c <$dir/fer2013.npz) bytes" [ "$(wc -c <$dir/fer2013.npz)" -le 60000000 ]
	head -1 $dir/squeezed | sed 's/.*hash//' >$dir/hash
	cpu_ms run $data info $dir/fer2013.npz
	check "loads in $ms ms of the processor's time, the CSV in $csv_ms" [ $((4 * ms)) -lt $((3 * csv_ms)) ]
	check "has the hash of the CSV" [ "$(head -1 $dir/out | sed 's/.*hash//')" = "$(cat $dir/hash)" ]
else
	count=$((count + 1))
	echo "ok $count # SKIP no FER2013 at $real; FER_SHARED names the folder that holds data/"
fi

echo "1..$count"
rm -rf $dir
exit $failed
