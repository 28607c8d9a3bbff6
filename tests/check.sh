# Sourced by the shell tests once $dir, a folder for them alone, is set: skips without a device, makes the folder
# empty, and counts what is checked in $count and $failed.
count=0
failed=0

case $(bin/fer-train --list-devices 2>/dev/null) in
'' | "no OpenCL device")
	echo "1..0 # SKIP no OpenCL device"
	exit 0 ;;
esac
rm -rf $dir
mkdir -p $dir || exit 1

check() {	# TEXT COMMAND...: passed if the command succeeds
	text=$1
	shift
	count=$((count + 1))
	if "$@"; then
		echo "ok $count - $text"
	else
		echo "not ok $count - $text"
		[ ! -s $dir/err ] || sed 's/^/# /' $dir/err
		failed=1
	fi
}

run() {		# PROGRAM ARGUMENT...: its status in $status, its streams in $dir/out and $dir/err
	"$@" >$dir/out 2>$dir/err
	status=$?
}

fails() {	# STATUS PATTERN: the last run ended so, with one line on stderr that matches
	[ $status -eq "$1" ] && [ "$(wc -l <$dir/err)" -eq 1 ] && grep -q -- "$2" $dir/err
}
