#!/bin/sh
# The shared library exports the public names, cg_ and a letter, and nothing else.
library=lib/.libs/libclgrad.so
if ! test -f $library; then
	echo "1..0 # SKIP no shared library was built"
	exit 0
fi
if ! command -v nm >/dev/null; then
	echo "1..0 # SKIP no nm"
	exit 0
fi

names=$(nm -D --defined-only $library | sed 's/.* //' | grep -v '^__asan\|^__ubsan\|^__odr_asan')
foreign=$(echo "$names" | grep -v '^cg_[a-z0-9]')
# Every function of the public header must be there too.
declared=$(sed -n 's/^[a-z].*[ *]\(cg_[a-z0-9_]*\)(.*/\1/p' "${srcdir:-.}/lib/clgrad.h" | sort -u)
absent=$(echo "$declared" | while read -r name; do echo "$names" | grep -qx "$name" || echo "$name"; done)

report() {
	if [ -z "$3" ]; then
		echo "ok $1 - $2"
	else
		echo "not ok $1 - $2"
		echo "$3" | sed 's/^/# /'
	fi
}
echo 1..3
report 1 "something is exported" "$(echo "$names" | grep -q '^cg_' || echo "no cg_ name")"
report 2 "nothing but cg_ names is exported" "$foreign"
report 3 "every function of clgrad.h is there" "$absent"
