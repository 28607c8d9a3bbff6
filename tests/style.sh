#!/bin/sh
# What a script can see of the style: indentation by tabs, no blanks at a line's end. Lines wider than 100
# columns, long files and long functions are a remark, not a failure.
cd "${srcdir:-.}" || exit 1
files=$(find lib models bin tests bench cl -name '*.[ch]' -o -name '*.cl' |
	grep -v '^lib/cl_sources.c$' | sort)

LC_ALL=C ${AWK:-awk} '
function complain(rule)
{
	complaints[rule] = complaints[rule] "# " FILENAME ":" FNR ": " $0 "\n"
}

# Columns of a line; a character of UTF-8 is one.
function width(line,    parts, columns, i, n)
{
	gsub(/[\200-\277]/, "", line)
	n = split(line, parts, "\t")
	for (i = 1; i <= n; i++) {
		columns += length(parts[i])
		if (i < n)
			columns += 8 - columns % 8
	}
	return columns
}

function remark_length(    limit)
{
	limit = file ~ /\.cl$/ ? 300 : 500
	if (lines > limit && file != "lib/clgrad.h")
		print "# " file ": " lines " lines, the habit is " limit
}

function report(rule, text)
{
	print (complaints[rule] == "" ? "ok " : "not ok ") rule " - " text
	printf "%s", complaints[rule]
	failed += complaints[rule] != ""
}

FNR == 1			{ remark_length(); file = FILENAME; body = 0 }
				{ lines = FNR }
width($0) > 100			{ print "# " FILENAME ":" FNR ": wider than 100 columns" }
/^ +[^ *]/			{ complain(1) }
/[ \t]$/			{ complain(2) }

/^\{/				{ body = FNR }
/^\}/ && body {
	if (FNR - body > 61)
		print "# " FILENAME ":" body ": a function of " FNR - body - 1 " lines, the habit is 60"
	body = 0
}

END {
	remark_length()
	print "1..2"
	report(1, "indentation is by tabs")
	report(2, "no line ends in a blank")
	exit failed > 0
}' $files
