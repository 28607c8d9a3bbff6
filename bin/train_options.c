#include "train_options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine.h"
#include "folds.h"
#include "model_options.h"
#include "rates.h"
#include "source.h"

enum { MAX_OPTIONS = 128 };

static const struct cli_option rows[] = {
	{ "model", 'm', CLI_TEXT, NULL, "model", "MODEL", "what to train", 0 },
	{ "pretrained", 0, CLI_TEXT, NULL, "model", "FILE",
	  "begin with these weights: a checkpoint, or a file that fer-import reads", 0 },
	MODEL_OPTIONS,
	RATES_OPTIONS,

	SOURCE_OPTIONS,
	FOLDS_OPTIONS,
	{ "limit", 0, CLI_INT, "0", "data", "N",
	  "train on N rows, classes in proportion; 0: all", 0 },
	{ "drop-leaks", 0, CLI_FLAG, "false", "data", NULL,
	  "leave out training rows whose pixels occur in a later split, or are held out", 0 },
	{ "exclude-blank", 0, CLI_FLAG, "true", "data", NULL,
	  "leave out training rows of one colour", 0 },
	{ "class-weights", 0, CLI_CHOICE, "none", "data", "none|balanced",
	  "balanced: each class counts the same in the loss", 0 },

	{ "epochs", 'e', CLI_COUNT, "30", "optimisation", "N", "passes over the training rows", 0 },
	{ "batch-size", 'b', CLI_COUNT, "64", "optimisation", "N",
	  "images of a batch; rows that fill no whole batch wait for another epoch", 0 },
	{ "accum", 0, CLI_COUNT, "1", "optimisation", "N", "batches that make one update", 0 },
	{ "opt", 0, CLI_CHOICE, "sgd", "optimisation", "sgd|adam|adamw",
	  "sgd is with Nesterov momentum", 0 },
	{ "lr", 0, CLI_REAL, "0.05", "optimisation", "X", "(highest) learning rate", 0 },
	{ "weight-decay", 0, CLI_REAL, "5e-4", "optimisation", "X", "not of biases and norms", 0 },
	{ "momentum", 0, CLI_FRACTION, "0.9", "optimisation", "X", "of sgd", 0 },
	{ "sched", 0, CLI_CHOICE, "onecycle", "optimisation", "onecycle|cosine|plateau|const",
	  "course of the learning rate", 0 },
	{ "warmup-epochs", 0, CLI_REAL, "0", "optimisation", "X",
	  "linear rise at the beginning (onecycle has its own)", 0 },
	{ "min-lr", 0, CLI_REAL, "0", "optimisation", "X", "where the learning rate ends", 0 },
	{ "plateau-patience", 0, CLI_INT, "3", "optimisation", "N",
	  "plateau: halve the rate after N epochs without a better value", 0 },
	{ "clip-norm", 0, CLI_REAL, "5", "optimisation", "X", "cut gradients to this norm; 0: off", 0 },
	{ "ema", 0, CLI_FRACTION, "0", "optimisation", "X",
	  "average the weights with this decay and judge the average; 0: off", 0 },
	{ "patience", 0, CLI_INT, "0", "optimisation", "N",
	  "end after N epochs without a better value; 0: never", 0 },
	{ "monitor", 0, CLI_CHOICE, "val-acc", "optimisation", "val-acc|val-loss|val-f1",
	  "the value that chooses best.safetensors", 0 },
	{ "time-limit", 0, CLI_DURATION, NULL, "optimisation", "TIME", "end after e.g. 90m or 2h",
	  CLI_TRANSIENT },

	{ "augment", 0, CLI_FLAG, "true", "augmentation", NULL, "change the images at random", 0 },
	{ "crop", 0, CLI_COUNT, NULL, "augmentation", "N",
	  "random crop of NxN in training, the centre else [the model's]", 0 },
	{ "hflip", 0, CLI_FRACTION, "0.5", "augmentation", "P", "mirror with this probability", 0 },
	{ "rotate", 0, CLI_REAL, "10", "augmentation", "DEG", "turn by up to so many degrees", 0 },
	{ "shift", 0, CLI_FRACTION, "0.1", "augmentation", "X", "move by up to this share", 0 },
	{ "zoom", 0, CLI_FRACTION, "0.1", "augmentation", "X", "scale by 1 +- X", 0 },
	{ "brightness", 0, CLI_FRACTION, "0", "augmentation", "X", "brighten by up to this share", 0 },
	{ "contrast", 0, CLI_FRACTION, "0", "augmentation", "X", "contrast times 1 +- X", 0 },
	{ "erase", 0, CLI_FRACTION, "0", "augmentation", "P",
	  "hide a rectangle with this probability", 0 },
	{ "smoothing", 0, CLI_FRACTION, "0.1", "augmentation", "X", "label smoothing", 0 },
	{ "mixup", 0, CLI_REAL, "0", "augmentation", "A",
	  "mix pairs of images, shares from Beta(A, A); 0: off", 0 },

	{ "out", 'o', CLI_TEXT, NULL, "output", "DIR", "folder of the run [runs/MODEL-TIME]",
	  CLI_TRANSIENT },
	{ "overwrite", 0, CLI_FLAG, "false", "output", NULL,
	  "replace the run in that folder; other files stay", CLI_TRANSIENT },
	{ "save-every", 0, CLI_INT, "0", "output", "N",
	  "also keep epoch-N.safetensors every N epochs; 0: never", 0 },

	{ "tensorboard", 0, CLI_FLAG, "false", "output", NULL,
	  "also write the measures of each epoch as events for TensorBoard", 0 },
	{ "pictures", 0, CLI_FLAG, "true", "output", NULL,
	  "show mistakes and where the network looked in report.html", 0 },

	{ "resume", 0, CLI_TEXT, NULL, "run", "[DIR]",
	  "go on with the run in DIR (or --out, or the newest in runs/) as if it had not stopped",
	  CLI_TRANSIENT },
	{ "preset", 0, CLI_TEXT, NULL, "run", "NAME",
	  "options for an occasion, see below; the model may change them, args.ini tells", 0 },
	{ "seed", 0, CLI_INT, "42", "run", "N", "of everything random", 0 },
	{ "dry-run", 0, CLI_FLAG, "false", "run", NULL,
	  "print layers, sizes, optimiser, memory and steps, run one step; write nothing", CLI_TRANSIENT },
	{ "profile", 0, CLI_FLAG, "false", "run", NULL,
	  "print the launches of a step with their times; write nothing", CLI_TRANSIENT },
	{ "progress", 0, CLI_CHOICE, "auto", "run", "auto|bar|plain|none", "what stderr shows",
	  CLI_TRANSIENT },
	{ "json", 0, CLI_FLAG, "false", "run", NULL, "the result on stdout as JSON", CLI_TRANSIENT },
	ENGINE_OPTIONS,
	CLI_COMMON_OPTIONS,
	{ .name = NULL }
};

/* What most models want; a model's recipe for the preset wins over it. */
static const struct cli_preset presets[] = {
	{ "smoke", "epochs = 2\nlimit = 4000\n" },
	{ "cpu-20min", "epochs = 9\n" },
	{ "cpu-2h", "epochs = 45\n" },
	{ "gpu-10min", "epochs = 80\nbatch-size = 256\n" },
	{ "paper", "split = kfold\nkfold = 5\nepochs = 50\nsched = plateau\nwarmup-epochs = 1\n"
		   "patience = 10\nbatch-size = 32\nsmoothing = 0\n" },
	{ "finetune", "epochs = 12\nsched = cosine\nwarmup-epochs = 1\nlr = 0.005\n"
		      "head-lr-mult = 10\n" },
	{ .name = NULL }
};

static const char *const examples[] = {
	"fer-train -m vgg -d synth --preset smoke",
	"fer-train -m vgg -d fer2013.csv.gz --preset cpu-20min -o runs/vgg",
	"fer-train --resume runs/vgg",
	NULL
};

/* --- the table --- */

const struct cli_program *train_program(void)
{
	static struct cli_option table[MAX_OPTIONS];
	static char names[MODEL_TEXT];
	static const struct cli_program program = {
		.name = "fer-train",
		.synopsis = "-m MODEL -d DATA [option]...",
		.summary = "Train a network to tell facial expressions apart; the run's folder "
			   "receives weights, log and measures.",
		.options = table,
		.presets = presets,
		.examples = examples,
		.version = engine_version,
	};
	int n = 0;

	table[n] = rows[0];
	model_names(names);
	table[n++].arg = names;
	n = model_options_rows(table, n, MAX_OPTIONS - 1);
	for (int i = 1; rows[i].name && n < MAX_OPTIONS - 1; i++)
		table[n++] = rows[i];
	return &program;
}

/* --- the model and its recipes --- */

/* A recipe for the preset wins over the preset, one for all occasions only over defaults. */
static int use_recipe(struct cli *c, const struct model_recipe *r)
{
	char line[200];
	int status = -1;

	for (const char *rest = r->settings; *rest && status < 0; rest += *rest == '\n') {
		size_t n = strcspn(rest, "\n");
		char name[64], value[100];

		snprintf(line, sizeof(line), "%.*s", (int)n, rest);
		rest += n;
		if (sscanf(line, "%63s = %99s", name, value) == 2 &&
		    !(r->preset ? cli_chosen(c, name) : cli_given(c, name)))
			status = cli_set(c, name, value);
	}
	return status;
}

static int use_recipes(struct cli *c, const struct model *m)
{
	const char *preset = cli_text(c, "preset");
	int status = -1;

	for (const struct model_recipe *r = m->recipes; r->settings && status < 0; r++)
		if (!r->preset || (preset && !strcmp(preset, r->preset)))
			status = use_recipe(c, r);
	return status;
}

int train_settings(const struct cli *c, const struct model *m, struct model_config *config)
{
	int status = model_options_use(c, m, config);

	if (cli_given(c, "crop"))
		config->size = cli_int(c, "crop");
	return status < 0 ? model_options_check(c, m, config) : status;
}

/* Weights to begin with bring settings that are not known here: what goes together is seen later.
 * Where a run is resumed as another model, the checkpoint has more to say about its settings. */
int train_model(struct cli *c, const struct model **model, struct model_config *config)
{
	const char *name = cli_text(c, "model");
	char names[MODEL_TEXT];
	int status;

	model_names(names);
	if (!name)
		return cli_fail(c, CLI_USAGE, "--model is missing: %s", names);
	*model = model_find(name);
	if (!*model)
		return cli_fail(c, CLI_USAGE, "--model: \"%s\" given, expected %s", name, names);
	status = use_recipes(c, *model);
	if (status >= 0)
		return status;
	if (cli_is(c, "preset", "finetune") && !cli_text(c, "pretrained"))
		return cli_fail(c, CLI_USAGE, "--preset finetune needs --pretrained FILE");
	if (!cli_text(c, "resume"))
		status = model_options_refuse(c, *model);
	model_defaults(*model, config);
	if (cli_text(c, "pretrained"))
		return status;
	return status < 0 ? train_settings(c, *model, config) : status;
}

/* --- numbers --- */

static cg_augment_config augmentation(const struct cli *c, bool crops)
{
	if (!cli_flag(c, "augment"))
		return (cg_augment_config){ 0 };
	return (cg_augment_config){
		.random_crop = crops,
		.hflip = (float)cli_real(c, "hflip"),
		.rotate = (float)cli_real(c, "rotate"),
		.shift = (float)cli_real(c, "shift"),
		.zoom = (float)cli_real(c, "zoom"),
		.brightness = (float)cli_real(c, "brightness"),
		.contrast = (float)cli_real(c, "contrast"),
		.erase = (float)cli_real(c, "erase"),
	};
}

static cg_optim_config optimiser(const struct cli *c)
{
	return (cg_optim_config){
		.kind = cli_is(c, "opt", "sgd") ? CG_SGD :
			cli_is(c, "opt", "adam") ? CG_ADAM : CG_ADAMW,
		.momentum = (float)cli_real(c, "momentum"),
		.nesterov = cli_real(c, "momentum") > 0,
		.weight_decay = (float)cli_real(c, "weight-decay"),
		.clip_norm = (float)cli_real(c, "clip-norm"),
		.ema = (float)cli_real(c, "ema"),
	};
}

static cg_sched schedule(const struct cli *c)
{
	return (cg_sched){
		.kind = cli_is(c, "sched", "onecycle") ? CG_SCHED_ONECYCLE :
			cli_is(c, "sched", "cosine") ? CG_SCHED_COSINE :
			cli_is(c, "sched", "plateau") ? CG_SCHED_PLATEAU : CG_SCHED_CONST,
		.lr = (float)cli_real(c, "lr"),
		.min_lr = (float)cli_real(c, "min-lr"),
		.patience = (int)cli_int(c, "plateau-patience"),
	};
}

static enum train_monitor monitor(const struct cli *c)
{
	return cli_is(c, "monitor", "val-loss") ? MONITOR_LOSS :
	       cli_is(c, "monitor", "val-f1") ? MONITOR_F1 : MONITOR_ACC;
}

/* n / (classes * n_c): 1 on average over the rows; 1 for a class without rows. */
static void balance(const struct dataset *d, const struct data_rows *train, float *weight)
{
	int32_t count[DATA_MOST_CLASSES];

	data_class_counts(d, train, count);
	for (int i = 0; i < d->classes; i++)
		weight[i] = count[i] ? (float)train->n / (float)d->classes / (float)count[i] : 1;
}

static int check_numbers(const struct cli *c, const struct model_config *model,
			 const struct dataset *d)
{
	static const char *const counts[] = { "epochs", "batch-size", "accum", "save-every",
					      "patience", "plateau-patience", NULL };

	for (int i = 0; counts[i]; i++)
		if (cli_int(c, counts[i]) > 1000000)
			return cli_fail(c, CLI_USAGE, "--%s: \"%s\" given, expected at most 1000000",
					counts[i], cli_text(c, counts[i]));
	if (!network_sees(model, d->h, d->w, model->channels))
		return cli_fail(c, CLI_USAGE, "--crop %d: the images are %dx%d", (int)model->size,
				(int)(model->image ? model->image : d->h),
				(int)(model->image ? model->image : d->w));
	if (!network_sees(model, d->h, d->w, d->channels))
		return cli_fail(c, CLI_USAGE, "--channels %d: the images have %d", (int)model->channels,
				(int)d->channels);
	return -1;
}

int train_config(const struct cli *c, const struct model_config *model, const struct dataset *d,
		 const struct data_rows *train, float *weight, struct train_config *config)
{
	int status = check_numbers(c, model, d);
	int64_t h = model->image ? model->image : d->h, w = model->image ? model->image : d->w;
	int32_t batch = (int32_t)cli_int(c, "batch-size");

	if (status >= 0)
		return status;
	*config = (struct train_config){
		.epochs = (int32_t)cli_int(c, "epochs"),
		.warmup_epochs = cli_real(c, "warmup-epochs"),
		.patience = (int32_t)cli_int(c, "patience"),
		.monitor = monitor(c),
		.time_limit = cli_real(c, "time-limit"),
		.save_every = (int32_t)cli_int(c, "save-every"),
		.val_batch = batch,
		.sched = schedule(c),
		.step = {
			.batch = batch,
			.accumulate = (int32_t)cli_int(c, "accum"),
			.augment = augmentation(c, model->size < h || model->size < w),
			.mixup = (float)cli_real(c, "mixup"),
			.smoothing = (float)cli_real(c, "smoothing"),
			.optim = optimiser(c),
			.seed = (uint64_t)cli_int(c, "seed"),
		},
	};
	if (cli_is(c, "class-weights", "balanced")) {
		balance(d, train, weight);
		config->step.class_weight = weight;
	}
	return -1;
}
