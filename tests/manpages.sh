#!/bin/sh
# The man page of a program describes the options that its --help lists, all of them and no others.
of_help() {
	"./$1" --help | sed -n 's/^ *\(-[a-zA-Z], \)\{0,1\}--\(\[no-\]\)\{0,1\}\([a-z][a-z0-9-]*\).*/\3/p'
}

of_page() {
	grep '^\.It Fl' "$1" | grep -o 'Fl Fl [a-z][a-z0-9-]*' | sed 's/Fl Fl //'
}

n=0
for program in $PROGRAMS; do
	n=$((n + 1))
	page=${srcdir:-.}/doc/${program##*/}.1
	not= why=
	if ! test -f "$page"; then
		not='not ' why="no $page"
	else
		help=$(of_help "$program" | sort -u)
		described=$(of_page "$page" | sort -u)
		if [ -z "$help" ]; then
			not='not ' why="--help lists no options"
		elif [ "$help" != "$described" ]; then
			not='not '
			why=$(printf '%s\n' "$help" "$described" | sort | uniq -u | tr '\n' ' ')
			why="only in one of the two: $why"
		fi
	fi
	echo "${not}ok $n - ${program##*/} and its man page have the same options"
	[ -z "$why" ] || echo "# $why"
done
echo "1..$n"
