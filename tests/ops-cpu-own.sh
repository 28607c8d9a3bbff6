#!/bin/sh
# The operations' tests with the kernels for processors and our own matrix product.
CG_FAMILY=cpu CG_GEMM=own exec "${SHELL:-/bin/sh}" "${srcdir:-.}/tests/run-programs.sh" "$@"
