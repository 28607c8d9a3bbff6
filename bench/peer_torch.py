#!/usr/bin/env python3
"""PyTorch's side of `make bench`: the same work as bench.c times, done the way PyTorch does it best.

    peer_torch.py ROW...      time each row, print `row<TAB>seconds<TAB>how`
    peer_torch.py --serve     read `N row` lines, time N iterations of the row, answer each with one such
                              line: bench.c alternates between this process and its own work
    peer_torch.py --memory ROW  by how many bytes a process grows at its peak that does the row three times: the
                              least of its variants, each in a process of its own
    peer_torch.py --list      the training and inference rows

Rows:
    train MODEL               one step: forward, cross-entropy, backward, Adam
    infer MODEL               forward, dropout and batch statistics off, no gradients
    latency MODEL             the same with a batch of 1
    gemm M K N y|dx|dw        y = x w, dx = dy w', dw = x' dy
    conv B H W C M R stride pad y|dx|dw
where MODEL is one of the names in MODELS. All float32, one thread per core that this process may use.

What is quicker is not decided by taste: each row first tries its variants (channels-last or not, fused or
for-each Adam, as it is or frozen by torch.jit, and with --compile also torch.compile with frozen weights) and then keeps the quickest, named in the last column.
The seconds are the median of the iterations; preparing and warming up are not counted.
"""
import os
import statistics
import subprocess
import sys
import time

# OpenBLAS 0.3.21 mistakes some AVX-512 machines for a Prescott: ten times slower unless told. Debian's
# python3-torch uses it; builds with MKL do not read this.
if "avx512f" in open("/proc/cpuinfo").read():
    os.environ.setdefault("OPENBLAS_CORETYPE", "SkylakeX")

try:
    import torch
    import torch._inductor.config
    from torch import nn
except ImportError as error:
    sys.exit(f"peer_torch.py: {error}")

from torch_models import AlexNet, ResNet50V2, VGG, ViT

# name: make the model, batch, image side
MODELS = {
    "vgg": (VGG, 64, 44),
    "alexnet": (AlexNet, 64, 48),
    "alexnet-s1": (lambda: AlexNet(stride=1, fc=4096), 32, 48),
    "resnet50v2": (ResNet50V2, 32, 48),
    "vit-b8": (lambda: ViT(48, 8, 768, 12), 16, 48),
    "vit-ti16": (lambda: ViT(96, 16, 192, 3), 32, 96),
}
LAYOUTS = {"channels-last": torch.channels_last, "contiguous": torch.contiguous_format}


def model_and_batch(name, layout, batch=None):
    make, usual_batch, side = MODELS[name]
    batch = batch or usual_batch
    torch.manual_seed(1)
    model = make().to(memory_format=layout)
    x = torch.randn(batch, 1, side, side).contiguous(memory_format=layout)
    return model, x, torch.arange(batch) % 7


def train_step(name, layout, adam, compiled):
    model, x, target = model_and_batch(name, layout)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-4, **adam)
    forward = torch.compile(model) if compiled else model

    def run():
        optimizer.zero_grad()
        nn.functional.cross_entropy(forward(x), target).backward()
        optimizer.step()
    return run


def inference(name, layout, form, batch=None):
    model, x, _ = model_and_batch(name, layout, batch)
    forward = model.eval()
    with torch.inference_mode(form != "frozen"), torch.no_grad():
        if form == "frozen":  # folds batch norms into convolutions, packs weights for oneDNN
            forward = torch.jit.optimize_for_inference(torch.jit.freeze(torch.jit.trace(forward, x)))
            for _ in range(3):
                forward(x)
        elif form == "compiled":
            torch._inductor.config.freezing = True
            forward = torch.compile(forward)

    def run():
        with torch.inference_mode():
            forward(x)
    return run


def gemm(M, K, N, part):
    x, w, dy = torch.randn(M, K), torch.randn(K, N), torch.randn(M, N)
    return {"y": lambda: x @ w, "dx": lambda: dy @ w.t(), "dw": lambda: x.t() @ dy}[part]


def conv(B, H, W, C, M, R, stride, pad, part, layout):
    x = torch.randn(B, C, H, W).contiguous(memory_format=layout)
    w = torch.randn(M, C, R, R).contiguous(memory_format=layout)
    y = nn.functional.conv2d(x, w, None, stride, pad)
    if part == "y":
        return lambda: nn.functional.conv2d(x, w, None, stride, pad)
    dy = torch.randn_like(y)
    wanted = [part == "dx", part == "dw", False]
    return lambda: torch.ops.aten.convolution_backward(
        dy, x, w, None, [stride] * 2, [pad] * 2, [1, 1], False, [0, 0], 1, wanted)


def variants(row, try_compile):
    """The ways to do a row: {how: function that makes its run()}."""
    kind, *args = row.split()
    modes = (False, True) if try_compile else (False,)
    if kind == "train":
        return {f"{layout} {next(iter(adam))} Adam" + " compiled" * c:
                lambda f=f, adam=adam, c=c: train_step(*args, f, adam, c)
                for layout, f in LAYOUTS.items() for c in modes
                for adam in ({"foreach": True}, {"fused": True})}
    if kind in ("infer", "latency"):
        batch = 1 if kind == "latency" else None
        forms = ("eager", "frozen") + ("compiled",) * try_compile
        return {f"{layout} {form}": lambda f=f, form=form: inference(*args, f, form, batch)
                for layout, f in LAYOUTS.items() for form in forms}
    sizes, part = [int(a) for a in args[:-1]], args[-1]
    if kind == "gemm":
        return {"mm": lambda: gemm(*sizes, part)}
    if kind == "conv":
        return {layout: lambda f=f: conv(*sizes, part, f) for layout, f in LAYOUTS.items()}
    raise ValueError(f"unknown row: {row}")


def seconds(run, n):
    """Median time of n iterations; quick ones are timed in bundles of at least 2 ms."""
    begin = time.perf_counter()
    run()
    bundle = max(1, int(2e-3 / max(time.perf_counter() - begin, 1e-7)))
    times = []
    for _ in range(n):
        begin = time.perf_counter()
        for _ in range(bundle):
            run()
        times.append((time.perf_counter() - begin) / bundle)
    return statistics.median(times)


def quickest(row, try_compile):
    best = None
    for how, make in variants(row, try_compile).items():
        try:
            run = make()
            run()
            t = seconds(run, 5)
        except (RuntimeError, TypeError, ValueError, AssertionError):  # e.g. no fused Adam in an old version
            continue
        if best is None or t < best[0]:
            best = t, how, run
    if best is None:
        raise RuntimeError(f"{row}: no variant runs")
    return best[1:]


def serve(try_compile):
    row, how, run = None, None, None
    for line in sys.stdin:
        n, wanted = line.strip().split(" ", 1)
        if wanted != row:
            run = None
            row, (how, run) = wanted, quickest(wanted, try_compile)
        print(row, f"{seconds(run, int(n)):.6e}", how, sep="\t", flush=True)


def status_bytes(name):
    with open("/proc/self/status") as f:
        return next(1024 * int(line.split()[1]) for line in f if line.startswith(name))


def memory_of(row, how):
    """Peak resident memory since before the model was made; imports are not counted."""
    with open("/proc/self/clear_refs", "w") as f:
        f.write("5")  # VmHWM starts again
    before = status_bytes("VmRSS:")
    run = variants(row, False)[how]()
    for _ in range(3):
        run()
    return status_bytes("VmHWM:") - before


def memory(row):
    """For-each Adam makes temporaries of all weights: it is tried only where nothing else runs."""
    names = sorted(variants(row, False), key=lambda how: "foreach" in how)
    sizes = []
    for how in names:
        if sizes and "foreach" in how:
            break
        child = subprocess.run([sys.executable, "-B", __file__, "--memory-of", row, how], text=True,
                               stdout=subprocess.PIPE)
        if child.returncode == 0:
            sizes.append(int(child.stdout))
    return min(sizes)


def main():
    args = sys.argv[1:]
    try_compile = "--compile" in args
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    if "--list" in args:
        print(*[f"{kind} {name}" for name in MODELS for kind in ("train", "infer", "latency")], sep="\n")
    elif args[:1] == ["--memory"]:
        print(memory(args[1]))
    elif args[:1] == ["--memory-of"]:
        print(memory_of(*args[1:]))
    elif "--serve" in args:
        print("version", torch.__version__, f"{torch.get_num_threads()} threads", sep="\t", flush=True)
        serve(try_compile)
    else:
        for row in [a for a in args if not a.startswith("--")]:
            how, run = quickest(row, try_compile)
            print(row, f"{seconds(run, 15):.6e}", how, sep="\t", flush=True)


if __name__ == "__main__":
    main()
