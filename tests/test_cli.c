/*
 * test_cli.c: options from every place they can come from, what is written back, and messages.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "json.h"
#include "progress.h"
#include "tap.h"

static const struct cli_option options[] = { { "model", 'm', CLI_CHOICE, NULL, "model",
						     "vgg|alexnet", "the network", 0 },
	{ "epochs", 'e', CLI_COUNT, "10", "optim", "N", "passes over the data", 0 },
	{ "warmup-epochs", 0, CLI_INT, "0", "optim", "N", "epochs of warm-up", 0 },
	{ "lr", 0, CLI_REAL, "0.1", "optim", "X", "learning rate", 0 },
	{ "hflip", 0, CLI_FRACTION, ".5", "augment", "P", "probability of a mirror image", 0 },
	{ "augment", 0, CLI_FLAG, "true", "augment", NULL, "change images at random", 0 },
	{ "drop-leaks", 0, CLI_FLAG, "false", "data", NULL, "drop twins of test images", 0 },
	{ "time-limit", 0, CLI_DURATION, NULL, "run", "TIME", "stop after TIME", 0 },
	{ "out", 'o', CLI_TEXT, NULL, "run", "DIR", "where results go", 0 },
	{ "resume", 0, CLI_TEXT, NULL, "run", "[DIR]",
		"go on with a run: weights, moments, random state, epoch and step, best metric; in "
		"DIR or in --out",
		CLI_TRANSIENT },
	{ "with", 'w', CLI_TEXT, NULL, "run", "FILE", "further files", CLI_MANY },
	{ "preset", 0, CLI_CHOICE, NULL, "run", "smoke|long", "a set of options", 0 },
	CLI_COMMON_OPTIONS, { .name = NULL } };

static const struct cli_preset presets[] = { { "smoke",
						     "epochs = 2\nlr = 0.05\nwarmup-epochs = 1\n" },
	{ "long", "epochs = 60\n" }, { .name = NULL } };

static const char *const examples[] = { "fer-test -m vgg", NULL };

static const struct cli_program program = {
	.name = "fer-test",
	.synopsis = "-m MODEL",
	.summary = "Test.",
	.options = options,
	.presets = presets,
	.examples = examples,
};

static const char *const ini = "tests/test_cli.ini", *const captured = "tests/test_cli.err";

static char said[4000]; /* what the last parse() wrote to stderr and stdout */

static void read_captured(void)
{
	FILE *file = fopen(captured, "r");
	size_t n = file ? fread(said, 1, sizeof(said) - 1, file) : 0;

	said[n] = 0;
	if (file)
		fclose(file);
}

/* Parse a command line, its words separated by `|`, with both streams caught in `said`. */
static int parse(struct cli *c, const char *line)
{
	static char text[400];
	char *argv[20] = { text };
	int argc = 0, status, kept[2] = { dup(1), dup(2) };

	snprintf(text, sizeof(text), "fer-test|%s", line);
	for (char *word = strtok(text, "|"); word; word = strtok(NULL, "|"))
		argv[argc++] = word;
	fflush(stdout);
	if (!freopen(captured, "w", stderr))
		return -2;
	dup2(2, 1);
	status = cli_parse(c, &program, argc, argv);
	fflush(stdout);
	fflush(stderr);
	dup2(kept[0], 1);
	dup2(kept[1], 2);
	close(kept[0]);
	close(kept[1]);
	read_captured();
	return status;
}

static void write_ini(const char *text)
{
	FILE *file = fopen(ini, "w");

	if (file) {
		fputs(text, file);
		fclose(file);
	}
}

static void test_forms(void)
{
	struct cli c;
	char item[80];

	ok(parse(&c, "--epochs=3|-mvgg|--lr|1e-3|--no-augment|file|-o|x y|-qv|-|--|--lr") == -1,
		"every form of option is read");
	ok(cli_int(&c, "epochs") == 3 && cli_is(&c, "model", "vgg") && cli_real(&c, "lr") == 1e-3,
		"values");
	ok(!cli_flag(&c, "augment") && cli_is(&c, "out", "x y"), "--no-x, a value with a blank");
	ok(c.n_args == 3 && !strcmp(c.args[0], "file") && !strcmp(c.args[1], "-") &&
			!strcmp(c.args[2], "--lr"),
		"positional arguments, -- ends options");
	ok(c.verbosity == -1, "-q");
	cli_free(&c);

	ok(parse(&c, "--time-limit|1h30m|--resume|--drop-leaks|--epochs|4|--epochs|5") == -1,
		"a duration, an optional value left out, an option twice");
	ok(cli_real(&c, "time-limit") == 5400 && cli_is(&c, "resume", "") &&
			cli_int(&c, "epochs") == 5 && cli_flag(&c, "drop-leaks"),
		"values");
	ok(!cli_given(&c, "lr") && cli_given(&c, "epochs"), "which options were given");
	ok(!cli_text(&c, "out") && cli_int(&c, "warmup-epochs") == 0, "unset, default");
	cli_free(&c);

	ok(parse(&c, "-w|one|-e|3|--with=two") == -1 && cli_item(&c, "with", 0, item, 80) &&
			!strcmp(item, "one") && cli_item(&c, "with", 1, item, 80) &&
			!strcmp(item, "two") && !cli_item(&c, "with", 2, item, 80),
		"an option that may be repeated");
	ok(!cli_write_ini(&c, "tests/test_cli.tmp"), "is written");
	cli_free(&c);
	ok(parse(&c, "--config|tests/test_cli.tmp") == -1 && cli_item(&c, "with", 1, item, 80) &&
			!strcmp(item, "two") && !cli_item(&c, "with", 2, item, 80),
		"and read back");
	cli_free(&c);
	ok(parse(&c, "--config|tests/test_cli.tmp|-w|three") == -1 && cli_is(&c, "with", "three"),
		"the command line replaces it");
	cli_free(&c);
	remove("tests/test_cli.tmp");

	ok(parse(&c, "--resume|runs/a") == -1 && cli_is(&c, "resume", "runs/a"),
		"an optional value");
	ok(cli_set(&c, "lr", "7") == -1 && cli_real(&c, "lr") == 7, "cli_set");
	cli_free(&c);
}

static void test_precedence(void)
{
	struct cli c;

	parse(&c, "--preset|smoke");
	ok(cli_int(&c, "epochs") == 2 && cli_real(&c, "lr") == .05, "a preset");
	cli_free(&c);

	write_ini("# of a run\n\n; too\nlr = 0.02\n epochs=7\naugment = off\nout = \" a \"\n");
	parse(&c, "--preset|smoke|--config|tests/test_cli.ini");
	ok(cli_int(&c, "epochs") == 7 && cli_real(&c, "lr") == .02 && !cli_flag(&c, "augment") &&
			cli_int(&c, "warmup-epochs") == 1,
		"a config file is above the preset");
	ok(cli_is(&c, "out", " a "), "quotes keep blanks");
	cli_free(&c);

	setenv("FER_EPOCHS", "8", 1);
	setenv("FER_WARMUP_EPOCHS", "", 1);
	setenv("FER_DROP_LEAKS", "1", 1);
	parse(&c, "--config|tests/test_cli.ini");
	ok(cli_int(&c, "epochs") == 8 && cli_real(&c, "lr") == .02 && cli_flag(&c, "drop-leaks"),
		"the environment is above the config file");
	cli_free(&c);
	parse(&c, "--epochs|9|--config|tests/test_cli.ini|--preset|long|--no-drop-leaks");
	ok(cli_int(&c, "epochs") == 9 && !cli_flag(&c, "drop-leaks"),
		"the command line is above all");
	cli_free(&c);
	unsetenv("FER_EPOCHS");
	unsetenv("FER_DROP_LEAKS");

	write_ini("preset = long\n");
	parse(&c, "--config|tests/test_cli.ini");
	ok(cli_int(&c, "epochs") == 60, "a config file may name the preset");
	cli_free(&c);
}

static void test_written(void)
{
	struct cli a, b;
	bool same = true;

	parse(&a, "-m|vgg|--preset|smoke|--lr|3e-4|--out| blank|--no-augment|--resume|x");
	ok(!cli_write_ini(&a, ini), "args.ini is written");
	ok(parse(&b, "--config|tests/test_cli.ini") == -1, "and read");
	for (const struct cli_option *o = options; o->name; o++) {
		const char *x = cli_text(&a, o->name), *y = cli_text(&b, o->name);

		if (!(o->flags & CLI_TRANSIENT) && (!x != !y || (x && strcmp(x, y))))
			same = false;
	}
	ok(same, "with the same values");
	ok(!cli_given(&b, "resume"), "but for those of one call");
	cli_free(&a);
	cli_free(&b);
	ok(parse(&a, "-m|vgg") == -1 && cli_write_ini(&a, "nowhere/args.ini") == -1,
		"a file that cannot be written");
	cli_free(&a);
}

/* The command line ends with CLI_USAGE and says just `message`. */
static void refuses(const char *line, const char *message)
{
	struct cli c;
	char expected[500];

	snprintf(expected, sizeof(expected), "fer-test: %s\n", message);
	ok(parse(&c, line) == CLI_USAGE && !strcmp(said, expected), "%s: %s", line, message);
	if (strcmp(said, expected))
		diag("said: %s", said);
	cli_free(&c);
}

static void test_errors(void)
{
	refuses("--epohcs|3", "unknown option --epohcs; did you mean --epochs?");
	refuses("--no-agument", "unknown option --no-agument; did you mean --no-augment?");
	refuses("--warmup=3", "unknown option --warmup; did you mean --warmup-epochs?");
	refuses("--xyz", "unknown option --xyz; see fer-test --help");
	refuses("--no-lr", "unknown option --no-lr; see fer-test --help");
	refuses("-x", "unknown option -x; see fer-test --help");
	refuses("--lr", "--lr needs a value (X)");
	refuses("--no-augment=1", "--no-augment takes no value");
	refuses("--epochs|0", "--epochs: \"0\" given, expected an integer >= 1");
	refuses("-e|3x", "-e: \"3x\" given, expected an integer >= 1");
	refuses("--lr|nan", "--lr: \"nan\" given, expected a number >= 0");
	refuses("--lr|-1", "--lr: \"-1\" given, expected a number >= 0");
	refuses("--hflip|1.5", "--hflip: \"1.5\" given, expected a number in 0..1");
	refuses("--time-limit|2x",
		"--time-limit: \"2x\" given, expected a duration such as 90s, 20m or 1h30m");
	refuses("-m|lenet", "-m: \"lenet\" given, expected vgg|alexnet");
	refuses("--augment=maybe", "--augment: \"maybe\" given, expected true or false");
	refuses("--preset|huge", "--preset: \"huge\" given, expected smoke|long");
	refuses("--config|none.ini", "none.ini: No such file or directory");
	write_ini("lr = 1\n\nepoch = 3\n");
	refuses("--config|tests/test_cli.ini",
		"tests/test_cli.ini:3: unknown option \"epoch\"; did you mean \"epochs\"?");
	write_ini("lr 1\n");
	refuses("--config|tests/test_cli.ini", "tests/test_cli.ini:1: expected `name = value`");
	write_ini("lr = x\n");
	refuses("--config|tests/test_cli.ini",
		"tests/test_cli.ini:1: lr: \"x\" given, expected a number >= 0");
	setenv("FER_LR", "fast", 1);
	refuses("-m|vgg", "FER_LR: \"fast\" given, expected a number >= 0");
	unsetenv("FER_LR");
}

static void test_help(void)
{
	struct cli c;
	int widest = 0, width = 0;

	ok(parse(&c, "--help") == CLI_OK, "--help ends with 0");
	cli_free(&c);
	for (const char *s = said; *s; s++) {
		width = *s == '\n' ? 0 : width + 1;
		widest = width > widest ? width : widest;
	}
	ok(widest <= 100, "--help is %d columns wide", widest);
	ok(strstr(said, "\noptim:\n  -e, --epochs N ") && strstr(said, "passes over the data [10]"),
		"it has groups and defaults");
	ok(strstr(said, "--[no-]augment") && strstr(said, "at random [on]"), "flags");
	ok(strstr(said, "\nexamples:\n  fer-test -m vgg\n") && strstr(said, "\npresets:\n  smoke"),
		"examples and presets");
	ok(parse(&c, "--version") == CLI_OK && !strcmp(said, "fer-test\n"), "--version");
	cli_free(&c);
}

static void test_small(void)
{
	static const char *const words[] = { "epochs", "lr", "momentum", NULL };
	double s = 0;
	char text[32];

	ok(cli_seconds("90", &s) && s == 90, "90 is 90 seconds");
	ok(cli_seconds("1d2h3m4s", &s) && s == 86400 + 7200 + 180 + 4, "1d2h3m4s");
	ok(cli_seconds("1.5h", &s) && s == 5400, "1.5h");
	ok(!cli_seconds("", &s) && !cli_seconds("h", &s) && !cli_seconds("1h30", &s) &&
			!cli_seconds("-1s", &s),
		"what is no duration");
	ok(!strcmp(cli_nearest("epcohs", words), "epochs"), "neighbours swapped");
	ok(!cli_nearest("batch-size", words), "nothing is near");
	ok(!strcmp(json_number(text, .1), "0.1") &&
			!strcmp(json_number(text, 1. / 3), "0.3333333333333333") &&
			!strcmp(json_number(text, NAN), "null"),
		"numbers in JSON");
	ok(!strcmp(progress_duration(text, 3661), "1h01m") &&
			!strcmp(progress_duration(text, 65), "1m05s") &&
			!strcmp(progress_duration(text, 9.3), "9s") &&
			!strcmp(progress_duration(text, NAN), "?"),
		"durations in words");
}

static void test_json(void)
{
	struct json j;
	FILE *file = fopen(captured, "w");
	const double x[] = { 1, .5, INFINITY };

	json_open(&j, file);
	json_object(&j, NULL);
	json_text(&j, "a\"b", "x\\\n\x01");
	json_reals(&j, "x", x, 3);
	json_array(&j, "empty");
	json_end(&j);
	json_text(&j, "none", NULL);
	json_bool(&j, "yes", true);
	json_end(&j);
	ok(!json_close(&j), "JSON is written");
	fclose(file);
	read_captured();
	ok(!strcmp(said,
		   "{\n  \"a\\\"b\": \"x\\\\\\n\\u0001\",\n  \"x\": [1, 0.5, null],\n"
		   "  \"empty\": [],\n  \"none\": null,\n  \"yes\": true\n}\n"),
		"JSON");
}

static double fake_time;

static double fake_now(void)
{
	return fake_time;
}

static void test_progress(void)
{
	struct progress p;
	FILE *file = fopen(captured, "w");

	progress_init(&p, "bar", file, NULL);
	ok(p.mode == PROGRESS_PLAIN && !p.color, "no bar where there is no terminal");
	p.now = fake_now;
	fake_time = 1000;
	progress_begin(&p, 100, "epoch 1/2");
	for (int i = 1; i <= 100; i++) {
		fake_time += 1;
		progress_step(&p, i, "loss %.1f", 2.);
	}
	progress_line(&p, "done");
	fclose(file);
	read_captured();
	ok(!strcmp(said,
		   "epoch 1/2  30/100  loss 2.0  eta 1m10s\n"
		   "epoch 1/2  60/100  loss 2.0  eta 40s\n"
		   "epoch 1/2  90/100  loss 2.0  eta 10s\ndone\n"),
		"a line every 30 s");
	file = fopen(captured, "w");
	progress_init(&p, "none", file, NULL);
	p.now = fake_now;
	progress_begin(&p, 10, "x");
	fake_time += 100;
	progress_step(&p, 5, "loss");
	p.mode = PROGRESS_BAR;
	p.width = 60;
	progress_step(&p, 5, "loss");
	progress_end(&p);
	fclose(file);
	read_captured();
	ok(!strcmp(said, "\rx [##########..........] 5/10  loss  eta 1m40s\033[K\r\033[K"),
		"none says nothing; a bar is wiped");
}

int main(void)
{
	test_forms();
	test_precedence();
	test_written();
	test_errors();
	test_help();
	test_small();
	test_json();
	test_progress();
	remove(ini);
	remove(captured);
	return done();
}
