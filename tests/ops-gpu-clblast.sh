#!/bin/sh
# The operations' tests with the kernels for GPUs and CLBlast.
CG_FAMILY=gpu CG_GEMM=clblast exec "${SHELL:-/bin/sh}" "${srcdir:-.}/tests/run-programs.sh" "$@"
