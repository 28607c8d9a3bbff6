#!/bin/sh
# fer-devices from outside.
dir=tests/devices.tmp
. "${srcdir:-.}/tests/check.sh"

run env OCL_ICD_VENDORS=/nonexistent bin/fer-devices
check "no OpenCL device" [ "$status:$(cat $dir/out $dir/err)" = "4:fer-devices: no OpenCL device" ]
run env OCL_ICD_VENDORS=/nonexistent bin/fer-devices --json
check "no device in JSON" [ "$status:$(tr -d ' \n' <$dir/out)" = '4:{"devices":[]}' ]
run bin/fer-devices extra
check "an argument" [ "$status:$(cat $dir/err)" = '2:fer-devices: unexpected argument "extra"' ]
run bin/fer-devices --help-env
check "environment variables" grep -q '^CG_DEVICE ' $dir/out
sed 's/  */ /; s/ (now: [^)]*)$//' $dir/out >$dir/help
sed -n '/^## The environment/,/^## Habits/s/^| `\([A-Z_]*\)` | \(.*\) |$/\1 \2/p' "${srcdir:-.}/HACKING.md" |
	tr -d '`' >$dir/hacking
check "HACKING.md has the same table" cmp $dir/hacking $dir/help
run bin/fer-devices
if [ $status -eq 4 ]; then
	count=$((count + 1))
	echo "ok $count # SKIP no OpenCL device"
else
	check "devices" [ $status -eq 0 ]
	check "one of them is the default" [ "$(grep -c '^\*' $dir/out)" -eq 1 ]
	listed=$(bin/fer-train --list-devices | wc -l)
	check "as many as fer-train lists" [ "$(grep -c '^[ *] [0-9]' $dir/out)" -eq "$listed" ]
	run bin/fer-devices --json
	check "as many in JSON" [ "$(grep -c '"number": ' $dir/out)" -eq "$listed" ]
	check "each has kernels" [ "$(grep -c '"error": null' $dir/out)" -eq "$listed" ]
fi

echo "1..$count"
rm -rf $dir
exit $failed
