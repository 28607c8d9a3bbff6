#!/bin/sh
# make check-ports: the GPU family's kernels, compiled for GPUs that are not here by clang and libclc, and assembled by
# ptxas for NVIDIA's: registers, spilled bytes and local memory of each kernel, and which share of a compute unit's
# threads can be resident for these. Fails where one spills (AMD: has scratch) or has more than 48 KB of local memory.
# CLANG, PTXAS, LIBCLC name the tools: [clang-16 or clang-15], [ptxas], [/usr/lib/clc]; TARGETS the GPUs.
clang=${CLANG:-$(command -v clang-16 || echo clang-15)}
libclc=${LIBCLC:-/usr/lib/clc}
cl=${srcdir:-.}/cl
dir=tests/ports.tmp

# GRAD WIDTH Y,RK...: the tiles that lib/op/attention.c chooses for 37, 50, 65, 145, 197 and 257 tokens in 48 KB
attention() {
	grad=$1 width=$2
	shift 2
	for tile; do
		for dropout in 0 1; do
			echo attention_gpu -DDH=$width -DY=${tile%,*} -DRK=${tile#*,} -DDROPOUT=$dropout -DGRAD=$grad
		done
	done
}

# file and options, as lib/ builds them
programs() {
	for file in act augment batch_norm batch_norm_sums ceiling conv2d_dw_gpu conv2d_gpu dropout ewise im2col_gpu layer_norm loss lrn \
		optim pool shape softmax gemm_gpu; do
		echo $file
	done
	echo gemm_gpu -DTRANS_A=1
	echo gemm_gpu -DTRANS_B=1
	echo gemm_gpu -DTRANS_A=1 -DTRANS_B=1
	large='-DBM=128 -DBN=128 -DBK=16 -DTM=8 -DTN=8'
	echo conv2d_gpu -DDX=1
	echo conv2d_gpu $large
	echo conv2d_gpu -DDX=1 $large
	echo conv2d_dw_gpu $large
	echo pool -DINDEX=int
	echo pool -DNORM
	echo pool -DNORM -DINDEX=int
	echo shape -DTYPE=int
	echo shape -DTYPE=uchar
	attention 0 32 10,3 13,4 9,3 10,4
	attention 0 64 10,3 13,4 9,3 10,4
	attention 0 96 10,3 7,4 9,3 8,4 11,3
	attention 0 128 5,3 7,2 9,2 8,2 10,2 7,3
	attention 1 32 10,3 7,4 9,3 8,4 10,4 13,3
	attention 1 64 5,3 7,2 9,2 8,2 10,2 6,3
	attention 1 96 10,1 5,2 9,1
	attention 1 128 5,1 6,1
}

# TARGET FILE OPTIONS...: assembly in $dir/out.s
compile() {
	target=$1 file=$2
	shift 2
	case $target in
	sm_*) set -- "$@" --target=nvptx64-nvidia-nvcl -Xclang -mlink-builtin-bitcode \
		-Xclang "$libclc/nvptx64--nvidiacl.bc" -Xclang -target-cpu -Xclang sm_80 \
		-Xclang -target-feature -Xclang +ptx74 ;;
	*) set -- "$@" --target=amdgcn-amd-amdhsa -mcpu=$target -nogpulib -Xclang -mlink-builtin-bitcode \
		-Xclang "$libclc/amdgcn--amdhsa.bc" ;;
	esac
	$clang -x cl -cl-std=CL1.2 -w -O3 -S -DCG_CPU=0 -DCG_VW=4 -DCG_GROUP=256 -include "$cl/common.cl" "-I$cl" \
		"$@" "$cl/$file.cl" -o $dir/out.s 2>$dir/err
}

# Items of a group as the kernel requires them, else 256; registers, spills, local memory from ptxas; residency from
# 64K registers in units of 8 a thread, 2048 threads, and 164 (sm_80) or 228 KB (sm_90) of local memory a multiprocessor.
read_nvidia() {
	ptxas=${PTXAS:-$(command -v ptxas || echo /usr/local/cuda/bin/ptxas)}
	"$ptxas" -v -arch=$target $dir/out.s -o /dev/null 2>$dir/ptxas || { cat $dir/ptxas >$dir/err; return 1; }
	${AWK:-awk} -v target=$target '
	function at_most(a, b) { return a < b ? a : b }
	FNR == NR {
		if ($0 ~ /\.entry/) { name = $0; sub(/.*\.entry /, "", name); sub(/\(.*/, "", name) }
		if ($1 == ".reqntid") { gsub(/[^0-9,]/, ""); split($0, n, ","); items[name] = n[1] * n[2] * n[3] }
		next
	}
	/Compiling entry function/ { name = $0; gsub(/^[^\047]*\047|\047.*$/, "", name) }
	/spill stores/ { spills = $0; sub(/.*frame, /, "", spills); spills += 0 }
	/Used [0-9]+ registers/ {
		local = 0
		if (match($0, /[0-9]+ bytes smem/))
			local = substr($0, RSTART) + 0
		match($0, /Used [0-9]+/)
		registers = substr($0, RSTART + 5) + 0
		group = items[name] ? items[name] : 256
		groups = int(2048 / group)
		groups = at_most(groups, int(65536 / (group * int((registers + 7) / 8) * 8)))
		if (local)
			groups = at_most(groups, int((target == "sm_80" ? 164 : 228) * 1024 / (local + 1024)))
		print name, registers, spills, local, int(100 * groups * group / 2048 + .5)
	}' $dir/out.s $dir/ptxas
}

# gfx90a holds 8 waves a SIMD, gfx1100 16.
read_amd() {
	${AWK:-awk} -v most=$([ $target = gfx90a ] && echo 8 || echo 16) '
	/^\t\.globl/ { name = $2 }
	/^; NumVgprs:/ { registers = $3 }
	/^; ScratchSize:/ { spills = $3 }
	/^; LDSByteSize:/ { local = $3 }
	/^; Occupancy:/ { print name, registers, spills, local, int(100 * $3 / most + .5) }' $dir/out.s
}

# "kernel registers spills local resident" of the program compiled
read_kernels() {
	case $target in sm_*) read_nvidia ;; *) read_amd ;; esac
}

available() {	# TARGET
	case $1 in
	sm_*) [ -f "$libclc/nvptx64--nvidiacl.bc" ] &&
		{ [ -n "$PTXAS" ] || command -v ptxas || [ -x /usr/local/cuda/bin/ptxas ]; } >/dev/null ;;
	gfx11*) [ -f "$libclc/amdgcn--amdhsa.bc" ] && ! $clang --version | grep -q 'version 15' ;;
	*) [ -f "$libclc/amdgcn--amdhsa.bc" ] ;;
	esac
}

rm -rf $dir
mkdir -p $dir || exit 1
command -v $clang >/dev/null || { echo "check-ports: SKIP: no $clang (packages clang-16, libclc-15)"; exit 0; }
failed=0
printf '%-8s %-18s %-22s %9s %7s %7s %9s  %s\n' target file kernel registers spills local resident options
for target in ${TARGETS:-sm_80 sm_90 gfx90a gfx1100}; do
	available $target || { echo "check-ports: SKIP $target: no libclc, for sm_* no ptxas (of CUDA), or for" \
		"gfx11* clang 15, which gives kernels only half of the registers there"; continue; }
	programs >$dir/programs
	while read -r file options; do
		if compile $target $file $options && read_kernels >$dir/kernels && [ -s $dir/kernels ]; then
			while read -r kernel registers spills local resident; do
				note=
				[ $spills -eq 0 ] && [ $local -le 49152 ] || { note=' FAIL'; failed=1; }
				printf '%-8s %-18s %-22s %9d %7d %7d %8d%%  %s%s\n' $target $file $kernel $registers \
					$spills $local $resident "$options" "$note"
			done <$dir/kernels
		else
			printf '%-8s %-18s FAIL %s\n' $target $file "$options"
			sed 's/^/  /' $dir/err
			failed=1
		fi
	done <$dir/programs
done
rm -rf $dir
exit $failed
