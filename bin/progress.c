/*
 * progress.c: a bar on a terminal, plain lines elsewhere.
 */
#include "progress.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

enum { BAR = 20, TEXT = 400 };

static const double bar_every = .1, plain_every = 30;

double progress_clock(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int columns_of(int fd)
{
	const char *columns = getenv("COLUMNS");
	int width = columns ? atoi(columns) : 0;
#ifdef TIOCGWINSZ
	struct winsize size;

	if (width <= 0 && !ioctl(fd, TIOCGWINSZ, &size))
		width = size.ws_col;
#else
	(void)fd;
#endif
	return width >= 40 ? width : 80;
}

void progress_init(struct progress *p, const char *word, FILE *out, FILE *log)
{
	const char *term = getenv("TERM"), *no_color = getenv("NO_COLOR");
	bool terminal = out && isatty(fileno(out)) && term && strcmp(term, "dumb");

	memset(p, 0, sizeof(*p));
	p->out = out;
	p->log = log;
	p->mode = terminal && strcmp(word, "plain") ? PROGRESS_BAR : PROGRESS_PLAIN;
	if (!out || !strcmp(word, "none"))
		p->mode = PROGRESS_NONE;
	p->color = terminal && !(no_color && *no_color);
	p->width = out ? columns_of(fileno(out)) : 0;
	p->now = progress_clock;
}

double progress_eta(const struct progress *p)
{
	double spent = p->now() - p->begun;

	if (p->total <= 0 || p->done <= 0)
		return NAN;
	return spent * (double)(p->total - p->done) / (double)p->done;
}

const char *progress_duration(char text[16], double seconds)
{
	unsigned s = seconds >= 0 && seconds < 1e8 ? (unsigned)lround(seconds) : 0;

	if (!(seconds >= 0 && seconds < 1e8))
		snprintf(text, 16, "?");
	else if (s < 60)
		snprintf(text, 16, "%us", s);
	else if (s < 3600)
		snprintf(text, 16, "%um%02us", s / 60, s % 60);
	else
		snprintf(text, 16, "%uh%02um", s / 3600 % 100000, s / 60 % 60);
	return text;
}

static void wipe(struct progress *p)
{
	if (p->open)
		fputs("\r\033[K", p->out);
	p->open = false;
}

/* "40/100  TAIL  eta 12s" */
static void describe(const struct progress *p, const char *tail, char *text, size_t size)
{
	char eta[16], total[32] = "?";

	if (p->total > 0)
		snprintf(total, sizeof(total), "%lld", (long long)p->total);
	snprintf(text, size, "%lld/%s  %s%seta %s", (long long)p->done, total, tail,
		*tail ? "  " : "", progress_duration(eta, progress_eta(p)));
}

/* "epoch 3/60 [####................] 40/100  TAIL  eta 12s", cut at the terminal's width */
static void draw_bar(struct progress *p, const char *tail)
{
	double part = p->total > 0 ? (double)p->done / (double)p->total : 0;
	int full = (int)(part * BAR + .5);
	int room = p->width - 1 - (int)strlen(p->label) - BAR - 4;
	char bar[BAR + 1], text[TEXT];

	full = full < 0 ? 0 : full > BAR ? BAR : full;
	memset(bar, '#', (size_t)full);
	memset(bar + full, '.', (size_t)(BAR - full));
	bar[BAR] = 0;
	describe(p, tail, text, sizeof(text));
	fprintf(p->out, "\r%s [%s%s%s] %.*s\033[K", p->label, p->color ? "\033[36m" : "", bar,
		p->color ? "\033[0m" : "", room > 0 ? room : 0, text);
	fflush(p->out);
	p->open = true;
}

static void write_line(struct progress *p, const char *text)
{
	wipe(p);
	if (p->out) {
		fprintf(p->out, "%s\n", text);
		fflush(p->out);
	}
	if (p->log) {
		fprintf(p->log, "%s\n", text);
		fflush(p->log);
	}
}

static void write_plain(struct progress *p, const char *tail)
{
	char text[TEXT], line[TEXT + sizeof(p->label) + 2];

	describe(p, tail, text, sizeof(text));
	snprintf(line, sizeof(line), "%s  %s", p->label, text);
	write_line(p, line);
}

static void show(struct progress *p, const char *tail)
{
	p->shown = p->now();
	if (p->mode == PROGRESS_BAR)
		draw_bar(p, tail);
	else
		write_plain(p, tail);
}

void progress_begin(struct progress *p, int64_t total, const char *label)
{
	snprintf(p->label, sizeof(p->label), "%s", label);
	p->total = total;
	p->done = 0;
	p->begun = p->now();
	if (p->mode == PROGRESS_BAR)
		show(p, "");
	if (!p->shown)
		p->shown = p->begun;
}

void progress_step(struct progress *p, int64_t done, const char *format, ...)
{
	double every = p->mode == PROGRESS_BAR ? bar_every : plain_every;
	char tail[TEXT / 2];
	va_list list;

	p->done = done;
	if (p->mode == PROGRESS_NONE || p->now() - p->shown < every)
		return;
	va_start(list, format);
	vsnprintf(tail, sizeof(tail), format, list);
	va_end(list);
	show(p, tail);
}

void progress_end(struct progress *p)
{
	wipe(p);
	if (p->out)
		fflush(p->out);
}

void progress_line(struct progress *p, const char *format, ...)
{
	char text[4 * TEXT];
	va_list list;

	va_start(list, format);
	vsnprintf(text, sizeof(text), format, list);
	va_end(list);
	write_line(p, text);
	p->shown = p->now();
}
