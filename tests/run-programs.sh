#!/bin/sh
# Runs the test programs named by $OPS_PROGRAMS (or as arguments) and joins what they say into one TAP
# stream. The caller has set the environment under test: see ops-*.sh and "make check-oclgrind".
#
#	RUNNER		what to put before a program, e.g. "oclgrind --data-races --log races"
#	RUNNER_LOG	where it writes what it finds: not empty is a failed test
[ $# -gt 0 ] || set -- $OPS_PROGRAMS

# Mesa's llvmpipe ends the long work-items of the CPU family early (HACKING.md).
case $RUSTICL_ENABLE,$CG_FAMILY in
*llvmpipe*,cpu)	CG_TINY=1; export CG_TINY ;;
esac

run_all() {
	for program; do
		echo "@begin ${program##*/}"
		[ -z "$RUNNER_LOG" ] || : >"$RUNNER_LOG"
		$RUNNER "./$program"
		printf '\n@exit %d\n' $?
		[ ! -s "$RUNNER_LOG" ] || { sed 's/^/# /' "$RUNNER_LOG"; echo @found; }
	done
}

run_all "$@" | ${AWK:-awk} '
function result(good, text)
{
	print (good ? "ok " : "not ok ") ++n " - " name text
	failed += !good
}
/^@begin /		{ name = $2; ran = 0; planned = "" }
/^1\.\.0/		{ sub(/^1\.\.0 *#? */, " # "); result(1, $0); planned = 0; next }
/^1\.\.[0-9]+/		{ planned = substr($0, 4) + 0; next }
/^(not )?ok/ {
	good = !/^not/
	sub(/^(not )?ok *[0-9]* *(- )?/, "")
	ran++
	result(good, (/^# SKIP/ ? " " : ": ") $0)
	next
}
/^@exit /		{
	if (planned == "")
		result(0, " stopped before its plan")
	else if (planned != ran)
		result(0, " ran " ran " tests of " planned)
	if ($2 > 0)
		result(0, " ended with status " $2)
}
/^@found$/		{ result(0, ": what the tool found stands above") }
/^[^@]/
END {
	print "1.." n + 0
	exit failed > 0
}'
