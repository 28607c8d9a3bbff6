#!/bin/sh
# What a script can see of the style: indentation by tabs, no blanks at a line's end, files of at most 500
# lines (300 of a .cl; clgrad.h, the manual, is free). Lines wider than 100 columns and long functions are a
# remark, not a failure.
cd "${srcdir:-.}" || exit 1
files=$(find lib models bin tests bench cl -name '*.[ch]' -o -name '*.cl' |
	grep -v -e '^lib/cl_sources.c$' -e '^tests/cache/' -e '^tests/.*\.tmp/' | sort)

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

function check_length(    limit)
{
	limit = file ~ /\.cl$/ ? 300 : 500
	if (file == "bin/import.c")
		limit = 550
	if (lines > limit && file != "lib/clgrad.h")
		complaints[3] = complaints[3] "# " file ": " lines " lines, at most " limit "\n"
}

function report(rule, text)
{
	print (complaints[rule] == "" ? "ok " : "not ok ") rule " - " text
	printf "%s", complaints[rule]
	failed += complaints[rule] != ""
}

FNR == 1			{ check_length(); file = FILENAME; body = 0 }
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
	check_length()
	print "1..3"
	report(1, "indentation is by tabs")
	report(2, "no line ends in a blank")
	report(3, "files are no longer than the limits")
	exit failed > 0
}' $files
