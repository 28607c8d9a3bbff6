/*
 * cli.h: what all fer-* programs share at the command line.
 *
 * A program is one `struct cli_program`: a table of option rows, presets and examples.
 * cli_parse() fills a `struct cli` from it; each option then has one value, kept as checked text
 * with the place it came from. A later place in this list wins over an earlier one:
 *
 *	default of the row < --preset NAME < --config FILE < FER_NAME environment < command line
 *
 * Syntax: `--name=value`, `--name value`, `-n value`, `-nvalue`, `--flag`, `--no-flag`, clusters of
 * one-letter flags (`-qv`), `--` ends the options, a lone `-` is positional. Both kinds may be
 * mixed. An option given twice keeps its last value, unless it is CLI_MANY. Names are not abbreviated: an unknown
 * one is an error that suggests the nearest.
 *
 * A config file has lines `name = value` with the long names of the options; `#` or `;` begins a
 * comment line; flags take true/false (yes/no, on/off, 1/0). cli_write_ini() writes such a file.
 * The environment variable of `--batch-size` is FER_BATCH_SIZE; an empty one counts as unset.
 */
#ifndef FER_CLI_H
#define FER_CLI_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* Exit codes of the fer-* programs. */
enum cli_exit {
	CLI_OK = 0,		/* done; also early stop and time limit */
	CLI_RUNTIME = 1,	/* anything that has no code of its own: out of memory, disk full */
	CLI_USAGE = 2,		/* unknown flag, bad value, unreadable config */
	CLI_DATA = 3,		/* data missing or malformed */
	CLI_DEVICE = 4,		/* no device, or a kernel does not build */
	CLI_NOT_FINITE = 5,	/* the loss is NaN or infinite */
	CLI_CHECKPOINT = 6,	/* a checkpoint that cannot be used */
	CLI_BELOW_MIN = 7,	/* accuracy below --min-acc */
	CLI_SOME_FAILED = 8,	/* some inputs failed, the others are done */
	CLI_SIGINT = 130,	/* interrupted, after saving */
	CLI_SIGTERM = 143	/* terminated, after saving */
};

enum cli_type {
	CLI_FLAG,	/* true or false; `--name` and `--no-name` */
	CLI_INT,	/* integer >= 0 */
	CLI_COUNT,	/* integer >= 1 */
	CLI_REAL,	/* finite number >= 0 */
	CLI_FRACTION,	/* number in 0..1 */
	CLI_DURATION,	/* seconds: `90`, `90s`, `20m`, `2h`, `1h30m`, `1d` */
	CLI_CHOICE,	/* one of the words in `arg`, which lists them as "a|b|c" */
	CLI_TEXT	/* anything; `arg` in brackets ("[DIR]"): may be left out, then "" */
};

/*
 * One option. `fallback` is the default as a user would write it, or NULL for "not set" (getters
 * then give false, 0 or NULL; cli_given() tells). A CLI_TRANSIENT option belongs to one call, not
 * to the experiment: cli_write_ini() leaves it out.
 */
struct cli_option {
	const char *name;	/* long name without dashes */
	char letter;		/* short name, or 0 */
	enum cli_type type;
	const char *fallback;
	const char *group;	/* heading in --help */
	const char *arg;	/* what --help calls the value: "N", "FILE"; NULL for flags */
	const char *help;	/* what it does; the default is added in brackets */
	unsigned flags;
};

#define CLI_TRANSIENT 1u
/* A CLI_TEXT option that may be given several times: cli_item() has them one by one. */
#define CLI_MANY 2u

/* Rows that every program has; put them at the end of the table, before the closing { 0 }. */
#define CLI_COMMON_OPTIONS \
	{ "config", 0, CLI_TEXT, NULL, "general", "FILE", "read options from FILE", \
	  CLI_TRANSIENT }, \
	{ "quiet", 'q', CLI_FLAG, "false", "general", NULL, "only warnings and errors", \
	  CLI_TRANSIENT }, \
	{ "verbose", 'v', CLI_FLAG, "false", "general", NULL, "say more", CLI_TRANSIENT }, \
	{ "help", 'h', CLI_FLAG, "false", "general", NULL, "print this help", CLI_TRANSIENT }, \
	{ "version", 0, CLI_FLAG, "false", "general", NULL, "print the versions", CLI_TRANSIENT }

/*
 * A named set of values; `settings` is text in the form of a config file. Chosen with an option
 * called "preset", which the program's table must have (CLI_TEXT or CLI_CHOICE).
 */
struct cli_preset {
	const char *name;
	const char *settings;
};

struct cli_program {
	const char *name;			/* "fer-train" */
	const char *synopsis;			/* "-m MODEL -d DATA [option]..." */
	const char *summary;			/* one sentence */
	const struct cli_option *options;	/* closed by a row without a name */
	const struct cli_preset *presets;	/* closed by a row without a name, or NULL */
	const char *const *examples;		/* closed by NULL; lines below "examples:" */
	void (*version)(FILE *out);		/* prints what --version says, or NULL */
};

struct cli_value;

struct cli {
	const struct cli_program *program;
	struct cli_value *values;	/* one per option row */
	char **args;			/* positional arguments, borrowed from argv */
	int n_args;
	int verbosity;			/* -1 with -q, 1 with -v, else 0 */
	FILE *log;			/* if set, messages are copied here (without the bar) */
};

/*
 * Read the command line, environment, config file and preset. Returns -1 to go on, otherwise the
 * exit code: 0 after --help or --version (printed on stdout), CLI_USAGE after an error (one line on
 * stderr). cli_free() is due in every case.
 */
int cli_parse(struct cli *c, const struct cli_program *program, int argc, char **argv);
void cli_free(struct cli *c);

/* Set an option as the command line would (highest precedence). Returns -1, or CLI_USAGE. */
int cli_set(struct cli *c, const char *name, const char *value);

/*
 * Read a config file at the config file's precedence, for instance the args.ini of a run that is
 * being resumed. Returns -1, or CLI_USAGE after an error line.
 */
int cli_read_ini(struct cli *c, const char *path);

/* Write every value that is set, but for CLI_TRANSIENT, as a config file. 0, or -1 and errno. */
int cli_write_ini(const struct cli *c, const char *path);

/* Values by name. Asking for a name that is not in the table is a programming error: it aborts. */
bool cli_flag(const struct cli *c, const char *name);
int64_t cli_int(const struct cli *c, const char *name);		/* CLI_INT, CLI_COUNT */
double cli_real(const struct cli *c, const char *name);		/* CLI_REAL, _FRACTION, _DURATION */
const char *cli_text(const struct cli *c, const char *name);	/* any type; NULL = unset */
/* The i-th value of a CLI_MANY option in `item`, cut at its size; false where there are not so many. */
bool cli_item(const struct cli *c, const char *name, int i, char *item, size_t size);
bool cli_is(const struct cli *c, const char *name, const char *word);	/* is it set to this word */
bool cli_given(const struct cli *c, const char *name);	/* set by anything but the row's default */
bool cli_chosen(const struct cli *c, const char *name);	/* nor by a preset */

/* "1h30m" -> 5400. Returns false where the text is no duration. */
bool cli_seconds(const char *text, double *seconds);

/* `lowest` of the edit distances wins; NULL where no word of the list (closed by NULL) is near. */
const char *cli_nearest(const char *word, const char *const *words);

void cli_help(const struct cli_program *program, FILE *out);

/*
 * Messages to stderr (and to c->log), each one line, `fer-train: ` before it.
 * cli_fail() returns its status, so that `return cli_fail(c, CLI_DATA, ...)` reads well.
 */
#if defined(__GNUC__)
#define CLI_PRINTF(a, b) __attribute__((format(printf, a, b)))
#else
#define CLI_PRINTF(a, b)
#endif
int cli_fail(const struct cli *c, int status, const char *format, ...) CLI_PRINTF(3, 4);
void cli_warn(const struct cli *c, const char *format, ...) CLI_PRINTF(2, 3);	/* always */
void cli_note(const struct cli *c, const char *format, ...) CLI_PRINTF(2, 3);	/* unless -q */
void cli_detail(const struct cli *c, const char *format, ...) CLI_PRINTF(2, 3);	/* with -v */

/* --- for cli*.c alone --- */

/* Where a value came from; a higher one is not replaced by a lower one. */
enum cli__level { CLI__DEFAULT, CLI__PRESET, CLI__CONFIG, CLI__ENVIRONMENT, CLI__COMMAND };

struct cli_value {
	char *text;
	enum cli__level level;
};

/* The index of an option, or -1. */
int cli__find(const struct cli *c, const char *name, size_t length);
/* Set option i. `where` names the origin in an error: "--lr", "FER_LR", "args.ini:3: lr". */
int cli__assign(struct cli *c, int i, const char *text, enum cli__level level, const char *where);
/* The nearest option name to an unknown one, or NULL; `flags_only` for --no-x. */
const char *cli__suggest(const struct cli *c, const char *word, bool flags_only);
int cli__read_preset(struct cli *c);

#endif
