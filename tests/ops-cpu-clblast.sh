#!/bin/sh
# The operations' tests with the kernels for processors and CLBlast.
CG_FAMILY=cpu CG_GEMM=clblast exec "${SHELL:-/bin/sh}" "${srcdir:-.}/tests/run-programs.sh" "$@"
