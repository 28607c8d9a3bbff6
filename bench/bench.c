/*
 * bench: what the engine reaches on this device, what the device can do, and what PyTorch does.
 *
 *	bench [-o text|md] [-g gemm,conv,step] [-n ROUNDS] [-p PYTHON] [-k]
 *
 * Each row is checked before it is timed. It is timed in rounds: the peak, our time, PyTorch's, in
 * turn; what is printed are medians over the rounds, also of the ratios within a round. Rows that
 * miss their bar are marked SHORT, and the exit status is 1 if there are any. PyTorch is that of
 * -p, $PYTHON or python3; without it its columns and bars are empty. -k tells on stderr in which
 * kernels the time of each step goes.
 */
#include "bench.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Bars: of products, shares of the measured peak; of convolutions, shares of what the products
 * reached (dw: of what their dw reached); of training steps, PyTorch's time / ours. */
static const double gemm_bar = .80, gemm_dw_bar = .60, conv_bar = .80, step_bar = 1.;

#define GEMM(m, k, n) \
	{ \
		.B = (m), .H = 1, .W = 1, .C = (k), .M = (n), .R = 1, .stride = 1, .gemm = true \
	}
static const struct product gemms[] = {
	GEMM(4608, 64, 256),
	GEMM(1152, 512, 128),
	GEMM(288, 256, 1024),
	GEMM(128, 1024, 512),
	GEMM(592, 768, 768),
	GEMM(592, 768, 3072),
	GEMM(592, 3072, 768),
};

#define CONV(b, side, c, m, r, s) \
	{ \
		(b), (side), (side), (c), (m), (r), (s), (r) / 2, false \
	}
static const struct product convs[] = {
	/* VGG at 44x44 */
	CONV(64, 44, 1, 32, 3, 1),
	CONV(64, 44, 32, 32, 3, 1),
	CONV(64, 22, 32, 64, 3, 1),
	CONV(64, 22, 64, 64, 3, 1),
	CONV(64, 11, 64, 128, 3, 1),
	CONV(64, 11, 128, 128, 3, 1),
	CONV(64, 5, 128, 256, 3, 1),
	CONV(64, 5, 256, 256, 3, 1),
	/* AlexNet at 48x48 */
	CONV(64, 48, 1, 64, 5, 2),
	CONV(64, 11, 64, 192, 5, 1),
	CONV(64, 5, 192, 384, 3, 1),
	CONV(64, 5, 384, 256, 3, 1),
};

static const struct step steps[] = {
	{ "train vgg", "vgg", "", 64, true },
	{ "train alexnet", "alexnet", "", 64, true },
	{ "train alexnet-s1", "alexnet", "stem-stride=1 fc=4096", 32, true },
	{ "train resnet50v2", "resnet50v2", "size=48", 32, true },
	{ "train vit-b8", "vit", "size=48 variant=b patch=8", 16, true },
	{ "train vit-ti16", "vit", "size=96 variant=ti patch=16", 32, true },
	{ "infer vgg", "vgg", "", 64, false },
	{ "infer alexnet", "alexnet", "", 64, false },
	{ "infer alexnet-s1", "alexnet", "stem-stride=1 fc=4096", 32, false },
	{ "infer resnet50v2", "resnet50v2", "size=48", 32, false },
	{ "infer vit-b8", "vit", "size=48 variant=b patch=8", 16, false },
	{ "infer vit-ti16", "vit", "size=96 variant=ti patch=16", 32, false },
};
enum { MAX_ROUNDS = 64 };
#define COUNT(array) (int)(sizeof(array) / sizeof((array)[0]))

/* ---- timing ---------------------------------------------------------------------------------- */

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

double median(double *values, int count)
{
	if (count == 0)
		return NAN;
	qsort(values, (size_t)count, sizeof(*values), by_value);
	return (values[(count - 1) / 2] + values[count / 2]) / 2;
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static double bundle_seconds(cg_ctx *ctx, call_fn *fn, void *arg, int calls)
{
	double begin = now();

	for (int i = 0; i < calls; i++)
		if (fn(arg) != CG_OK)
			return NAN;
	cg_finish(ctx);
	return (now() - begin) / calls;
}

double seconds_of(cg_ctx *ctx, call_fn *fn, void *arg, int n)
{
	double times[MAX_ROUNDS], once = bundle_seconds(ctx, fn, arg, 1);
	int calls = once < 2e-3 ? (int)(2e-3 / once) + 1 : 1;

	for (int i = 0; i < n; i++)
		times[i] = bundle_seconds(ctx, fn, arg, calls);
	return median(times, n);
}

void time_row(struct bench *b, call_fn *fn, void *arg, struct row *row)
{
	const struct timespec settle = { .tv_nsec =
						 20000000 }; /* the other's threads stop spinning */
	double ours[MAX_ROUNDS], peers[MAX_ROUNDS], shares[MAX_ROUNDS], ratios[MAX_ROUNDS];
	int n = b->rounds;

	for (int i = 0; i < n; i++) {
		nanosleep(&settle, NULL);
		shares[i] = row->flops / ceiling_fma(b->ceiling);
		ours[i] = seconds_of(b->ctx, fn, arg, 3);
		shares[i] /= ours[i];
		peers[i] = b->peer ? peer_time(b->peer, row->name, 3, row->note) : NAN;
		ratios[i] = peers[i] / ours[i];
	}
	row->seconds = median(ours, n);
	row->peer_seconds = median(peers, n);
	row->share = median(shares, n);
	row->ratio = median(ratios, n);
}

/* ---- output ---------------------------------------------------------------------------------- */

static bool markdown;

static bool missed(const struct row *r)
{
	return r->wrong || (r->bar > 0 && !(r->score >= r->bar));
}

/* A number, or a dash where there is none. */
static const char *cell(char text[32], const char *format, double value)
{
	if (isfinite(value))
		snprintf(text, 32, format, value);
	else
		snprintf(text, 32, "-");
	return text;
}

static void print_head(const char *title)
{
	printf(markdown ? "\n### %s\n\n" : "\n%s\n", title);
	printf(markdown ? "| %s | %s | %s | %s | %s | %s | %s | %s |\n"
			: "%-34s %9s %8s %8s %10s %8s %16s  %s\n",
		"row", "ms", "GFLOP/s", "of peak", "PyTorch ms", "speed-up", "score / bar", "");
	if (markdown)
		printf("| --- | ---: | ---: | ---: | ---: | ---: | ---: | --- |\n");
}

static void print_row(const struct row *r)
{
	char ms[32], rate[32], share[32], peer_ms[32], ratio[32], score[32], bar[32], both[72];

	cell(score, "%.2f", r->score);
	cell(bar, "%.2f", r->bar);
	snprintf(both, sizeof(both), "%s / %s", score, bar);
	printf(markdown ? "| `%s` | %s | %s | %s | %s | %s | %s | %s%s |\n"
			: "%-34s %9s %8s %8s %10s %8s %16s  %s%s\n",
		r->name, cell(ms, "%.3f", 1e3 * r->seconds),
		cell(rate, "%.0f", 1e-9 * r->flops / r->seconds),
		cell(share, "%.0f %%", 100 * r->share),
		cell(peer_ms, "%.3f", 1e3 * r->peer_seconds), cell(ratio, "%.2f", r->ratio), both,
		missed(r) ? "SHORT " : "", r->note);
	fflush(stdout);
}

static void print_device(const struct bench *b, const char *why)
{
	const cg_device_info *d = cg_device(b->ctx);
	char date[32];
	time_t t = time(NULL);

	strftime(date, sizeof(date), "%Y-%m-%d", gmtime(&t));
	printf(markdown ? "%s, clgrad %s; %s, %u compute units, %s %s (driver %s); kernels: %s, "
			  "products: %s; "
			  "peer: %s%s. Medians of %d rounds.\n"
			: "%s  clgrad %s\ndevice   %s, %u compute units, %s %s (driver %s)\n"
			  "kernels  %s, products: %s\npeer     %s%s\nrounds   %d\n",
		date, cg_version(), d->name, d->compute_units, d->platform_name, d->version,
		d->driver, cg_family(b->ctx), cg_gemm_backend(b->ctx),
		b->peer ? "PyTorch " : "none: ", b->peer ? peer_version(b->peer) : why, b->rounds);
}

static void print_ceilings(const struct bench *b)
{
	static const int64_t megabytes[] = { 256, 16 };

	printf(markdown ? "\n### Ceilings\n\n| what | measured |\n| --- | ---: |\n"
			: "\nceilings\n");
	printf(markdown ? "| float32 multiply-add | %.0f GFLOP/s |\n"
			: "float32 multiply-add               %7.0f GFLOP/s\n",
		1e-9 * ceiling_fma(b->ceiling));
	for (int i = 0; i < COUNT(megabytes); i++)
		printf(markdown ? "| triad, three arrays of %d MB | %.0f GB/s |\n"
				: "triad, three arrays of %3d MB      %7.0f GB/s\n",
			(int)megabytes[i], 1e-9 * ceiling_triad(b->ceiling, megabytes[i] << 18));
	fflush(stdout);
}

/* ---- rows ------------------------------------------------------------------------------------ */

static struct row *new_row(struct bench *b)
{
	struct row *r = &b->row[b->rows++];

	*r = (struct row){ .flops = NAN,
		.seconds = NAN,
		.peer_seconds = NAN,
		.share = NAN,
		.ratio = NAN,
		.score = NAN,
		.bar = NAN };
	return r;
}

/* The median share of the peak that the rows from `first` on of this part have reached. */
static double median_share(const struct bench *b, int first, const char *part)
{
	double shares[BENCH_ROWS];
	int n = 0;

	for (int i = first; i < b->rows; i++)
		if (strcmp(strrchr(b->row[i].name, ' ') + 1, part) == 0 &&
			isfinite(b->row[i].share))
			shares[n++] = b->row[i].share;
	return median(shares, n);
}

static void run_gemms(struct bench *b)
{
	int first = b->rows;

	print_head("Matrix products M K N; score: share of the peak");
	for (int part = PART_Y; part <= PART_DW; part++)
		for (int i = 0; i < COUNT(gemms); i++) {
			struct row *r = new_row(b);

			r->wrong = !product_run(b, &gemms[i], (enum part)part, r);
			r->score = r->share;
			r->bar = part == PART_DW ? gemm_dw_bar : gemm_bar;
			print_row(r);
		}
	b->gemm = median_share(b, first, "y");
	b->gemm_dw = median_share(b, first, "dw");
}

/* Bars are for 3x3 windows over several channels; the first layer's dx is never needed. */
static void run_convs(struct bench *b)
{
	print_head("Convolutions B H W C M R stride pad; score: share of what products reach");
	for (int part = PART_Y; part <= PART_DW; part++)
		for (int i = 0; i < COUNT(convs); i++) {
			double rate = part == PART_DW ? b->gemm_dw : b->gemm;
			struct row *r;

			if (part == PART_DX && convs[i].C == 1)
				continue;
			r = new_row(b);
			r->wrong = !product_run(b, &convs[i], (enum part)part, r);
			r->score = r->share / rate;
			if (convs[i].R == 3 && convs[i].C > 1 && isfinite(rate))
				r->bar = conv_bar;
			print_row(r);
		}
}

static void run_steps(struct bench *b)
{
	print_head("Training steps (with Adam) and inference; score: PyTorch's time / ours");
	for (int i = 0; i < COUNT(steps); i++) {
		struct row *r = new_row(b);

		r->wrong = !step_run(b, &steps[i], r);
		r->score = r->ratio;
		if (steps[i].train && isfinite(r->peer_seconds))
			r->bar = step_bar;
		print_row(r);
	}
}

static int count_missed(const struct bench *b)
{
	int n = 0;

	for (int i = 0; i < b->rows; i++)
		n += missed(&b->row[i]);
	return n;
}

/* ---- the program ----------------------------------------------------------------------------- */

static int usage(void)
{
	fputs("usage: bench [-o text|md] [-g gemm,conv,step] [-n ROUNDS] [-p PYTHON|none] "
	      "[-k]\n",
		stderr);
	return 2;
}

static void open_peer(struct bench *b, const char *python, char why[BENCH_TEXT])
{
	const char *srcdir = getenv("srcdir");
	char script[4096];

	if (!python)
		python = getenv("PYTHON");
	if (!python || !*python)
		python = "python3";
	snprintf(script, sizeof(script), "%s/bench/peer_torch.py", srcdir ? srcdir : ".");
	snprintf(why, BENCH_TEXT, "not asked for");
	b->peer = strcmp(python, "none") ? peer_open(python, script, why) : NULL;
}

static int run_all(struct bench *b, const char *groups, const char *python)
{
	char why[BENCH_TEXT];
	int short_rows;

	open_peer(b, python, why);
	b->ceiling = ceiling_new(b->ctx);
	print_device(b, why);
	print_ceilings(b);
	if (strstr(groups, "gemm"))
		run_gemms(b);
	if (strstr(groups, "conv"))
		run_convs(b);
	if (strstr(groups, "step"))
		run_steps(b);
	short_rows = count_missed(b);
	printf("\n%d of %d rows fall short of their bar\n", short_rows, b->rows);
	ceiling_free(b->ceiling);
	peer_close(b->peer);
	return short_rows > 0;
}

int main(int argc, char **argv)
{
	static struct bench b = { .rounds = 5, .gemm = NAN, .gemm_dw = NAN };
	const char *groups = "gemm,conv,step", *python = NULL;
	int option, status;

	while ((option = getopt(argc, argv, "o:g:n:p:k")) != -1) {
		if (option == 'o' && (!strcmp(optarg, "md") || !strcmp(optarg, "text")))
			markdown = !strcmp(optarg, "md");
		else if (option == 'k')
			b.profile = true;
		else if (option == 'g')
			groups = optarg;
		else if (option == 'n' && atoi(optarg) > 0 && atoi(optarg) <= MAX_ROUNDS)
			b.rounds = atoi(optarg);
		else if (option == 'p')
			python = optarg;
		else
			return usage();
	}
	if (optind < argc)
		return usage();
	if (cg_open(NULL, &b.ctx) != CG_OK) {
		fprintf(stderr, "bench: %s\n", b.ctx ? cg_error(b.ctx) : "out of memory");
		cg_close(b.ctx);
		return 3;
	}
	status = run_all(&b, groups, python);
	cg_close(b.ctx);
	return status;
}
