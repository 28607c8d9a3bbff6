#!/bin/sh
# The operations' tests with the kernels for GPUs and our own matrix product.
CG_FAMILY=gpu CG_GEMM=own exec "${SHELL:-/bin/sh}" "${srcdir:-.}/tests/run-programs.sh" "$@"
