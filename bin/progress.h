/*
 * progress.h: tells a person how far the work is, on stderr.
 *
 * bar: one line that is rewritten in place, ten times a second at most; only on a terminal.
 * plain: a line every 30 s while nothing else was printed; no control characters.
 * none: only what progress_line() says. auto: bar on a terminal (TERM not "dumb"), else plain.
 *
 * NO_COLOR in the environment switches colour off; other streams than terminals never get any.
 */
#ifndef FER_PROGRESS_H
#define FER_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum progress_mode { PROGRESS_NONE, PROGRESS_PLAIN, PROGRESS_BAR };

struct progress {
	FILE *out;
	FILE *log;			/* lines (never the bar) are copied here; may be NULL */
	enum progress_mode mode;
	bool color;
	int width;			/* columns of the terminal */
	double (*now)(void);		/* seconds; monotonic clock, replaceable in tests */
	char label[64];			/* "epoch 12/60" */
	int64_t total, done;
	double begun, shown;		/* when this piece began; when something was last shown */
	bool open;			/* a bar stands on the current line */
};

/* `word` is auto, bar, plain or none (another word is taken as auto). `out` NULL: only the log. */
void progress_init(struct progress *p, const char *word, FILE *out, FILE *log);

/* A piece of work of `total` steps begins (0: unknown). */
void progress_begin(struct progress *p, int64_t total, const char *label);

/*
 * `done` steps of it are done. The rest is printf-like and is printed behind the bar only when
 * something is printed: "loss 0.99  acc 63.1  106 img/s". Cheap to call for every step.
 */
#if defined(__GNUC__)
#define PROGRESS_PRINTF(a, b) __attribute__((format(printf, a, b)))
#else
#define PROGRESS_PRINTF(a, b)
#endif
void progress_step(struct progress *p, int64_t done, const char *format, ...) PROGRESS_PRINTF(3, 4);

/* The piece is over; the bar is wiped. */
void progress_end(struct progress *p);

/* A line that stays, above the bar; in every mode. The newline is added. */
void progress_line(struct progress *p, const char *format, ...) PROGRESS_PRINTF(2, 3);

/* Seconds left of this piece at the rate so far; NaN while unknown. */
double progress_eta(const struct progress *p);

/* 3661 -> "1h01m", 75 -> "1m15s", 9.3 -> "9s"; NaN -> "?". Returns text. */
const char *progress_duration(char text[16], double seconds);

/* Seconds of the monotonic clock. */
double progress_clock(void);

#endif
