# Turns OpenCL sources into a C file: one array of lines a file, and a table of them by stem.
# A line keeps its newline and everything else; kernel.c adds #line when it puts a program together.
# POSIX awk; usage: awk -f embed.awk cl/common.cl cl/act.cl ... >cl_sources.c

FNR == 1 { begin_file(FILENAME) }

{
	# Backslashes and quotes for C, question marks because -std=c11 has trigraphs.
	gsub(/[\\"?]/, "\\\\&")
	printf "\t\"%s\\n\",\n", $0
}

END {
	end_file()
	print "const struct cg__cl_source cg__cl_sources[] = {"
	for (i = 1; i <= files; i++)
		printf "\t{ \"%s\", %s_cl },\n", stems[i], stems[i]
	print "\t{ NULL, NULL }"
	print "};"
}

function begin_file(path,    stem)
{
	if (files == 0) {
		print "/* Made by build-aux/embed.awk from cl/; edit those files instead. */"
		print "#include <stddef.h>\n"
		print "#include \"kernel.h\"\n"
	}
	end_file()
	stem = path
	sub(/^.*\//, "", stem)
	sub(/\.cl$/, "", stem)
	stems[++files] = stem
	printf "static const char *const %s_cl[] = {\n", stem
}

function end_file()
{
	if (files > ended) {
		print "\tNULL"
		print "};\n"
		ended = files
	}
}
