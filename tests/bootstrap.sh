#!/bin/sh
# What ./bootstrap says and installs, with commands that only pretend.
dir=$PWD/tests/bootstrap.tmp
. "${srcdir:-.}/tests/check.sh"
mkdir -p "$dir/bin" || exit 1
cp "${srcdir:-.}/bootstrap" "$dir/bootstrap" || exit 1

pretend() {	# COMMAND LINE...: a script of that name
	command=$1
	shift
	{
		echo '#!/bin/sh'
		printf '%s\n' "$@"
	} >"$dir/bin/$command"
	chmod +x "$dir/bin/$command"
}

boot() {	# ARGUMENT...: its status in $status, what it says in err
	PATH=$dir/bin:$PATH /bin/sh "$dir/bootstrap" "$@" >"$dir/err" 2>&1
	status=$?
}

said() {	# PATTERN: a line of the output
	grep -q -- "$1" "$dir/err"
}

pretend autoreconf 'echo "autoreconf $*"'
pretend apt-get 'echo "apt-get: $*"' "case \$* in *install*zlib1g-dev*) exit \${APT:-0} ;; esac"
pretend sudo 'exec "$@"'

pretend dpkg-query 'echo "install ok installed"'
boot
check "nothing is missing" [ $status -eq 0 ]
check "and it says so" said '^bootstrap: no package was missing$'
check "apt-get is not called" eval '! said "apt-get:"'
check "autoreconf is" said '^autoreconf -fi$'

pretend dpkg-query 'case $* in *zlib1g-dev) exit 1 ;; *\ make) echo "deinstall ok config-files" ;;' \
	'*) echo "install ok installed" ;; esac'
boot
check "two packages are missing" [ $status -eq 0 ]
check "it names them first" said '^bootstrap: installing make zlib1g-dev$'
check "lets apt-get say what it does" said '^apt-get: -q -y install --no-install-recommends make zlib1g-dev$'
check "and names them at the end" [ "$(tail -n 2 "$dir/err" | head -n 1)" = 'bootstrap: installed make zlib1g-dev' ]

APT=100 boot
check "apt-get fails" [ $status -eq 100 ]
check "and autoreconf is left out" eval '! said "^autoreconf"'
boot --no-install
check "--no-install" said '^bootstrap: installed nothing, as asked$'
boot --install
check "another argument" [ $status -eq 2 ]

echo "1..$count"
rm -rf "$dir"
exit $failed
