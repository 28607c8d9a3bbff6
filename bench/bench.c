/*
 * bench: what the engine reaches on this device, what the device can do, and what PyTorch does.
 *
 *	bench [-o text|md] [-g GROUP,..] [-m MODEL,..] [-n ROUNDS] [-p PYTHON|none] [-c] [-k]
 *
 * Each row is checked before it is timed. It is timed in rounds: the peak, our time, PyTorch's, in
 * turn; what is printed are medians over the rounds, also of the ratios within a round. Rows that
 * miss their bar are marked SHORT, those that could not be held against it OPEN, and the exit status is 1 if
 * there are any. PyTorch is that of -p, $PYTHON or python3; without it its columns are empty. -p none does
 * without, and OPEN then is no failure. -c lets PyTorch try torch.compile, too, which takes minutes a model. -k tells on stderr in which
 * kernels the time of each step goes. Groups: gemm, conv, kernel, train, infer, latency, memory, start,
 * epoch.
 * -m restricts models (cases.c) and operations that move memory (kernel.c) to those named.
 */
#include "bench.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define COUNT(array) (int)(sizeof(array) / sizeof((array)[0]))

enum { STEPS = 16 };

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
	static const int megabytes[] = { 768, 48, 6, 1 };
	struct row row = { .name = "float32 multiply-add, GFLOP/s" };
	struct cells cells = { .count = 0 };

	table_begin("Ceilings", "what|measured");
	table_cell(&cells, "%.0f", 1e-9 * ceiling_fma(b->ctx));
	table_row(&row, &cells);
	for (int i = 0; i < COUNT(megabytes); i++) {
		snprintf(row.name, BENCH_TEXT, "triad in %d MB, GB/s", megabytes[i]);
		cells.count = 0;
		table_cell(&cells, "%.0f", 1e-9 * ceiling_triad(b->ctx, 1e6 * megabytes[i]));
		table_row(&row, &cells);
	}
}

/* Whether a word is in a list of words between commas; an empty list has all. */
static bool has(const char *list, const char *word)
{
	const size_t n = strlen(word);

	for (const char *at = list; (at = strstr(at, word)) != NULL; at += n)
		if ((at == list || at[-1] == ',') && (at[n] == ',' || at[n] == 0))
			return true;
	return *list == 0;
}

/* ---- rows ------------------------------------------------------------------------------------ */

struct row *new_row(struct bench *b)
{
	const struct goal none = { .value = NAN };
	struct row *r = &b->row[b->rows++];

	*r = (struct row){ .flops = NAN,
		.peak = NAN,
		.bytes = NAN,
		.triad = NAN,
		.seconds = NAN,
		.peer_seconds = NAN,
		.floor = NAN,
		.of_peak = none,
		.ratio = none,
		.of_floor = none,
		.share = none };
	return r;
}

static void print_product(const struct row *r)
{
	struct cells c = { .count = 0 };

	table_cell(&c, "%.3f", 1e3 * r->seconds);
	table_cell(&c, "%.0f", 1e-9 * r->flops / r->seconds);
	table_goal(&c, "%.0f %%", 100, r->of_peak);
	table_cell(&c, "%.3f", 1e3 * r->peer_seconds);
	table_goal(&c, "%.2f", 1, r->ratio);
	table_row(r, &c);
}

static const char product_columns[] = "row|ms|GFLOP/s|of peak|PyTorch ms|speed-up";

static void run_gemms(struct bench *b)
{
	table_begin("Matrix products M K N", product_columns);
	for (int part = PART_Y; part < PARTS; part++)
		for (int i = 0; i < gemm_count; i++) {
			struct row *r = new_row(b);

			r->wrong = !product_run(b, &gemms[i], (enum part)part, r);
			r->of_peak.bar = part == PART_DW ? gemm_dw_bar : gemm_bar;
			print_product(r);
		}
}

/* The first layer's dx is never needed. */
static void run_convs(struct bench *b)
{
	table_begin("Convolutions B H W C M R stride pad", product_columns);
	for (int part = PART_Y; part < PARTS; part++)
		for (int i = 0; i < conv_count; i++) {
			struct row *r;

			if (part == PART_DX && convs[i].C == 1)
				continue;
			r = new_row(b);
			r->wrong = !product_run(b, &convs[i], (enum part)part, r);
			if (product_filters(&convs[i]))
				r->ratio.bar = filter_bar;
			print_product(r);
		}
}

static void run_kernels(struct bench *b)
{
	table_begin("Operations that move memory, at a model's size and large",
		"row|us|MB|GB/s|triad GB/s|of triad");
	for (int i = 0; i < 2 * kernel_count; i++) {
		struct cells c = { .count = 0 };
		struct row *r;

		if (!has(b->models, kernel_name(i / 2)))
			continue;
		r = new_row(b);
		r->wrong = !kernel_run(b, i / 2, i % 2, r);
		r->share.bar = kernel_bar;
		table_cell(&c, "%.1f", 1e6 * r->seconds);
		table_cell(&c, "%.1f", 1e-6 * r->bytes);
		table_cell(&c, "%.1f", 1e-9 * r->bytes / r->seconds);
		table_cell(&c, "%.1f", 1e-9 * r->triad);
		table_goal(&c, "%.0f %%", 100, r->share);
		table_row(r, &c);
	}
}

static void print_step(const struct row *r)
{
	struct cells c = { .count = 0 };

	table_cell(&c, "%.2f", 1e3 * r->seconds);
	table_cell(&c, "%.0f", 1e-9 * r->flops / r->seconds);
	table_cell(&c, "%.2f", 1e3 * r->floor);
	table_goal(&c, "%.0f %%", 100, r->of_floor);
	table_cell(&c, "%.2f", 1e3 * r->peer_seconds);
	table_goal(&c, "%.2f", 1, r->ratio);
	table_row(r, &c);
}

/* The share of a step's time in anything but products. */
static void print_rest(struct bench *b, const char *name, const struct split *s)
{
	struct row *r = new_row(b);
	struct cells c = { .count = 0 };

	snprintf(r->name, BENCH_TEXT, "rest of %s", name);
	r->share = (struct goal){ s->rest / (s->products + s->rest), rest_bar, true };
	r->wrong = !isfinite(r->share.value);
	table_cell(&c, "%.2f", 1e3 * s->products);
	table_cell(&c, "%.2f", 1e3 * s->rest);
	table_goal(&c, "%.1f %%", 100, r->share);
	table_row(r, &c);
}

static void run_steps(struct bench *b)
{
	struct split split[STEPS], unused;
	bool rest = has(b->groups, kind_names[TRAIN]);

	for (int kind = TRAIN; kind < KINDS; kind++) {
		if (!has(b->groups, kind_names[kind]))
			continue;
		table_begin(kind == TRAIN       ? "Training steps, with Adam"
				: kind == INFER ? "Inference"
						: "Inference, batch 1",
			"row|ms|GFLOP/s|floor ms|of floor|PyTorch ms|speed-up");
		for (int i = 0; i < step_count; i++) {
			struct row *r;

			if (!has(b->models, steps[i].name))
				continue;
			r = new_row(b);

			r->wrong = !step_run(b, &steps[i], (enum kind)kind, r,
				kind == TRAIN ? &split[i] : &unused);
			r->ratio.bar = step_bar;
			r->of_floor.bar = kind == TRAIN ? floor_bar : 0;
			print_step(r);
		}
	}
	if (!rest)
		return;
	table_begin("Training steps outside of products", "row|products ms|rest ms|share");
	for (int i = 0; i < step_count; i++)
		if (has(b->models, steps[i].name))
			print_rest(b, steps[i].name, &split[i]);
}

static void run_memory(struct bench *b)
{
	table_begin("Memory of a training step", "row|MiB|PyTorch MiB|ours / theirs");
	for (int i = 0; i < step_count; i++) {
		struct cells c = { .count = 0 };
		double ours, peers;
		struct row *r;

		if (!has(b->models, steps[i].name))
			continue;
		r = new_row(b);
		ours = child_memory(b, &steps[i]);
		peers = peer_memory(b, &steps[i]);
		snprintf(r->name, BENCH_TEXT, "memory %s", steps[i].name);
		r->wrong = !isfinite(ours);
		r->share = (struct goal){ ours / peers, memory_bar, true };
		table_cell(&c, "%.0f", ours / 1048576);
		table_cell(&c, "%.0f", peers / 1048576);
		table_goal(&c, "%.2f", 1, r->share);
		table_row(r, &c);
	}
}

static void print_start(struct bench *b, const char *kind, const char *name, struct goal seconds)
{
	struct row *r = new_row(b);
	struct cells c = { .count = 0 };

	snprintf(r->name, BENCH_TEXT, "%s %s", kind, name);
	r->share = seconds;
	r->wrong = !isfinite(seconds.value);
	table_goal(&c, "%.2f", 1, seconds);
	table_row(r, &c);
}

/* A warm start is judged by AlexNet's: the step of others alone may take longer. */
static void run_starts(struct bench *b)
{
	table_begin("From the start of a process to the end of its first training step", "row|s");
	for (int i = 0; i < step_count; i++) {
		bool judged = strcmp(steps[i].name, "alexnet") == 0;
		double cold, warm;

		if (!has(b->models, steps[i].name))
			continue;
		child_start(&steps[i], judged ? b->rounds : 1, &cold, &warm);
		print_start(b, "cold", steps[i].name, (struct goal){ cold, cold_bar, true });
		print_start(b, "warm", steps[i].name,
			(struct goal){ warm, judged ? warm_bar : 0, true });
	}
}

static void run_epoch(struct bench *b)
{
	struct row *r = new_row(b);
	struct cells c = { .count = 0 };

	table_begin("fer-train, not waiting for the device", "row|share of an epoch");
	snprintf(r->name, BENCH_TEXT, "epoch vgg");
	r->share = (struct goal){ epoch_outside("vgg"), epoch_bar, true };
	r->wrong = !isfinite(r->share.value);
	table_goal(&c, "%.1f %%", 100, r->share);
	table_row(r, &c);
}

static int count(const struct bench *b, enum verdict v)
{
	int n = 0;

	for (int i = 0; i < b->rows; i++)
		n += judge(&b->row[i]) == v;
	return n;
}

/* ---- the program ----------------------------------------------------------------------------- */

static bool is_group(const char *word)
{
	static const char all[] = "gemm,conv,kernel,train,infer,latency,memory,start,epoch";

	return has(all, word);
}

static bool is_model(const char *word)
{
	bool known = false;

	for (int i = 0; i < step_count; i++)
		known |= !strcmp(word, steps[i].name);
	for (int i = 0; i < kernel_count; i++)
		known |= !strcmp(word, kernel_name(i));
	return known;
}

/* Whether each of the words between commas is one; says which is not. */
static bool known(const char *list, bool (*is)(const char *word))
{
	char words[256], *rest = words, *word;

	snprintf(words, sizeof(words), "%s", list);
	while ((word = strtok_r(rest, ",", &rest)))
		if (!is(word)) {
			fprintf(stderr, "bench: there is no \"%s\"\n", word);
			return false;
		}
	return true;
}

static int usage(void)
{
	fputs("usage: bench [-o text|md] [-g GROUP,..] [-m MODEL,..] [-n ROUNDS] [-p PYTHON|none] "
	      "[-c] [-k]\n",
		stderr);
	return 2;
}

static void open_peer(struct bench *b, const char *python, bool compile, char why[BENCH_TEXT])
{
	const char *srcdir = getenv("srcdir");

	if (!python)
		python = getenv("PYTHON");
	if (!python || !*python)
		python = "python3";
	b->python = python;
	snprintf(b->script, sizeof(b->script), "%s/bench/peer_torch.py", srcdir ? srcdir : ".");
	snprintf(why, BENCH_TEXT, "not asked for");
	b->peer = strcmp(python, "none") ? peer_open(python, b->script, compile, why) : NULL;
}

/* 1: rows fall short, or should have been judged and were not, or there are none. */
static int run_all(struct bench *b, const char *python, bool compile)
{
	char why[BENCH_TEXT];
	int short_rows, open_rows;

	open_peer(b, python, compile, why);
	print_device(b, why);
	print_ceilings(b);
	if (has(b->groups, "gemm"))
		run_gemms(b);
	if (has(b->groups, "conv"))
		run_convs(b);
	if (has(b->groups, "kernel"))
		run_kernels(b);
	run_steps(b);
	if (has(b->groups, "memory"))
		run_memory(b);
	if (has(b->groups, "start"))
		run_starts(b);
	if (has(b->groups, "epoch"))
		run_epoch(b);
	short_rows = count(b, SHORT);
	open_rows = count(b, OPEN);
	printf("\n%d of %d rows fall short of their bar", short_rows, b->rows);
	printf(open_rows ? ", %d could not be judged\n" : "\n", open_rows);
	peer_close(b->peer);
	return short_rows > 0 || (open_rows > 0 && strcmp(b->python, "none")) || !b->rows;
}

int main(int argc, char **argv)
{
	static struct bench b = { .rounds = 3, .groups = "", .models = "" };
	const char *child = NULL, *python = NULL;
	bool compile = false;
	int option, status;

	while ((option = getopt(argc, argv, "o:g:m:n:p:ckx:")) != -1) {
		if (option == 'o' && (!strcmp(optarg, "md") || !strcmp(optarg, "text")))
			markdown = !strcmp(optarg, "md");
		else if (option == 'k')
			b.profile = true;
		else if (option == 'c')
			compile = true;
		else if (option == 'g')
			b.groups = optarg;
		else if (option == 'm')
			b.models = optarg;
		else if (option == 'n' && atoi(optarg) > 0 && atoi(optarg) <= MAX_ROUNDS)
			b.rounds = atoi(optarg);
		else if (option == 'p')
			python = optarg;
		else if (option == 'x')
			child = optarg;
		else
			return usage();
	}
	if (optind < argc || !known(b.groups, is_group) || !known(b.models, is_model))
		return usage();
	if (cg_open(NULL, &b.ctx) != CG_OK) {
		fprintf(stderr, "bench: %s\n", b.ctx ? cg_error(b.ctx) : "out of memory");
		cg_close(b.ctx);
		return 3;
	}
	status = child ? child_main(b.ctx, child) : run_all(&b, python, compile);
	cg_close(b.ctx);
	return status;
}
