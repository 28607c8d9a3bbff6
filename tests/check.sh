# Sourced by the shell tests once $dir, a folder for them alone, is set: makes it empty, and counts what is checked in
# $count and $failed.
count=0
failed=0
rm -rf "$dir"
mkdir -p "$dir" || exit 1

skip_all() {	# REASON: nothing of this is tested
	echo "1..0 # SKIP $1"
	rm -rf "$dir"
	exit 0
}

need_device() {
	bin/fer-devices >/dev/null 2>&1 || skip_all "no OpenCL device"
}

check() {	# TEXT COMMAND...: passed if the command succeeds
	text=$1
	shift
	count=$((count + 1))
	if "$@"; then
		echo "ok $count - $text"
	else
		echo "not ok $count - $text"
		[ ! -s "$dir/err" ] || sed 's/^/# /' "$dir/err"
		failed=1
	fi
}

run() {		# PROGRAM ARGUMENT...: its status in $status, its streams in $dir/out and $dir/err
	"$@" >"$dir/out" 2>"$dir/err"
	status=$?
}

fails() {	# STATUS PATTERN: the last run ended so, with one line on stderr that matches
	[ $status -eq "$1" ] && [ "$(wc -l <"$dir/err")" -eq 1 ] && grep -q -- "$2" "$dir/err"
}
