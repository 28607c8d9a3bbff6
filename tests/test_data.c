/*
 * test_data.c: choosing rows, duplicates, folds, FER+ labels, reading what was written; reports.
 * Malformed files are in data.sh.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data.h"
#include "random.h"
#include "report.h"
#include "tap.h"

static const char *const csv = "tests/test_data.csv", *const other = "tests/test_data.tmp";

enum { N = 400, SIDE = 4, SIZE = SIDE * SIDE };

static void copy(struct dataset *d, int to, int from)
{
	memcpy(d->pixels + to * SIZE, d->pixels + from * SIZE, SIZE);
	d->label[to] = d->label[from];
}

/*
 * N images of 4x4: 300, 50 and 50 of a split. The classes have unequal shares; every tenth image is
 * that of five rows before, which has another label where the row number ends in 30; rows 7 and 8
 * are blank. Across splits: 300, 320, 390 are twins of Training, 350, 390, 391 of PublicTest.
 */
static void make(struct dataset *d)
{
	data_alloc(d, N, SIDE, SIDE, 1);
	for (int i = 0; i < N; i++) {
		uint32_t draw = random_below(random_bits(1, 0, (uint64_t)i), 16);

		d->usage[i] = i < 300 ? SPLIT_TRAIN : i < 350 ? SPLIT_PUBLIC : SPLIT_PRIVATE;
		d->label[i] = draw < 7 ? (uint8_t)draw : draw < 12 ? HAPPY : NEUTRAL;
		for (int j = 0; j < SIZE; j++)
			d->pixels[i * SIZE + j] = (uint8_t)random_bits(2, (uint64_t)i, (uint64_t)j);
		if (i % 10 == 0 && i > 0) {
			copy(d, i, i - 5);
			if (i % 100 == 30)
				d->label[i] = (uint8_t)((d->label[i] + 1) % DATA_CLASSES);
		}
	}
	memset(d->pixels + 7 * SIZE, 0, SIZE);
	memset(d->pixels + 8 * SIZE, 255, SIZE);
	copy(d, 320, 11);
	copy(d, 390, 11);
	copy(d, 391, 321);
	data_finish(d);
}

static int32_t count(const struct dataset *d, enum data_split split, unsigned without)
{
	struct data_filter filter = { .without = without };
	struct data_rows rows;
	int32_t n = data_rows(d, split, &filter, &rows) == DATA_OK ? rows.n : -1;

	data_rows_free(&rows);
	return n;
}

static void test_rows(const struct dataset *d)
{
	ok(count(d, SPLIT_TRAIN, 0) == 300 && count(d, SPLIT_ALL, 0) == N, "rows of a split");
	ok(count(d, SPLIT_TRAIN, FLAW_BLANK) == 298, "without blanks");
	ok(count(d, SPLIT_TRAIN, FLAW_TWIN_AFTER) == 298, "without what later splits have");
	ok(count(d, SPLIT_PUBLIC, FLAW_TWIN_BEFORE) == 48 &&
			count(d, SPLIT_PRIVATE, FLAW_TWIN_BEFORE) == 47,
		"without twins before");
	ok(count(d, SPLIT_TRAIN, FLAW_REPEAT) == 271, "each image once");
	ok(count(d, SPLIT_TRAIN, FLAW_CONFLICT) == 294, "without contradicting labels");
}

static void test_facts(const struct dataset *d)
{
	struct data_facts f;

	ok(data_facts(d, &f) == DATA_OK && f.n[SPLIT_TRAIN] == 300 && f.blank == 2, "facts");
	ok(f.twins[SPLIT_PUBLIC][SPLIT_TRAIN] == 2 && f.twins[SPLIT_PRIVATE][SPLIT_TRAIN] == 1 &&
			f.twins[SPLIT_PRIVATE][SPLIT_PUBLIC] == 3,
		"twins");
	ok(f.without_twins[SPLIT_PRIVATE] == 47 && f.without_twins[SPLIT_TRAIN] == 300,
		"rows without twins");
	ok(f.repeats_within[SPLIT_TRAIN] == 29 && f.repeats == N - f.distinct, "repeats");
	ok(d->group[20] == 15 && d->group[390] == 11 && d->group[11] == 11, "groups");
}

static void test_limit(const struct dataset *d)
{
	struct data_filter filter = { .limit = 100, .seed = 5 };
	struct data_rows a, b, all;
	int32_t some[DATA_MOST_CLASSES], whole[DATA_MOST_CLASSES];
	bool ascending = true, proportional = true;

	data_rows(d, SPLIT_TRAIN, NULL, &all);
	data_rows(d, SPLIT_TRAIN, &filter, &a);
	data_rows(d, SPLIT_TRAIN, &filter, &b);
	ok(a.n == 100 && b.n == 100 && !memcmp(a.row, b.row, 100 * sizeof(*a.row)),
		"the same rows under a limit");
	data_class_counts(d, &a, some);
	data_class_counts(d, &all, whole);
	for (int c = 0; c < DATA_CLASSES; c++)
		proportional = proportional && abs(3 * some[c] - whole[c]) < 3;
	for (int i = 1; i < a.n; i++)
		ascending = ascending && a.row[i - 1] < a.row[i];
	ok(proportional, "classes in proportion");
	ok(ascending, "in ascending order");
	data_rows_free(&b);
	filter.seed = 6;
	data_rows(d, SPLIT_TRAIN, &filter, &b);
	ok(b.n == 100 && memcmp(a.row, b.row, 100 * sizeof(*a.row)), "others for another seed");
	data_rows_free(&b);
	filter.limit = 1000;
	data_rows(d, SPLIT_TRAIN, &filter, &b);
	ok(b.n == 300, "a limit above all rows");
	data_rows_free(&a);
	data_rows_free(&b);
	data_rows_free(&all);
}

static void test_mean(const struct dataset *d)
{
	struct data_rows rows = { .row = (int32_t[]){ 7, 8 }, .n = 2 };
	double mean, std;

	data_mean_std(d, &rows, &mean, &std);
	ok(mean == 127.5 && std == 127.5, "mean and deviation of black and white");
}

static void test_folds(const struct dataset *d)
{
	struct data_rows rows;
	uint8_t fold[N], again[N];
	int32_t have[5][DATA_CLASSES] = { { 0 } };
	bool together = true, even = true;

	data_rows(d, SPLIT_ALL, NULL, &rows);
	ok(data_folds(d, &rows, 5, 1, fold) == DATA_OK &&
			data_folds(d, &rows, 5, 1, again) == DATA_OK && !memcmp(fold, again, N),
		"five folds, the same for the same seed");
	for (int i = 0; i < N; i++) {
		together = together && fold[i] == fold[d->group[i]];
		have[fold[i]][d->label[i]]++;
	}
	for (int c = 0; c < DATA_CLASSES; c++) {
		int32_t least = N, most = 0;

		for (int f = 0; f < 5; f++) {
			least = have[f][c] < least ? have[f][c] : least;
			most = have[f][c] > most ? have[f][c] : most;
		}
		even = even && most - least <= 2;
	}
	ok(together, "identical images are in one fold");
	ok(even, "classes are spread evenly");
	data_folds(d, &rows, 5, 2, again);
	ok(memcmp(fold, again, N), "others for another seed");
	data_rows_free(&rows);
}

static void write_csv(const struct dataset *d)
{
	FILE *file = fopen(csv, "w");

	fprintf(file, "emotion,pixels,Usage\n");
	for (int i = 0; i < d->n; i++) {
		fprintf(file, "%d,", d->label[i]);
		for (int j = 0; j < SIZE; j++)
			fprintf(file, "%s%d", j ? " " : "", d->pixels[i * SIZE + j]);
		fprintf(file, ",%s\n", data_split_names[d->usage[i]]);
	}
	fclose(file);
}

static void test_read(const struct dataset *d)
{
	struct dataset e;
	struct data_error error;

	write_csv(d);
	if (!ok(data_load(&e, csv, NULL, &error) == DATA_OK, "a CSV is read"))
		return;
	ok(e.n == N && e.h == SIDE && e.hash == d->hash && !memcmp(e.pixels, d->pixels, N * SIZE) &&
			!memcmp(e.flaw, d->flaw, N),
		"it is what was written");
	e.pixels[17]++;
	data_finish(&e);
	ok(e.hash != d->hash, "another pixel, another hash");
	e.pixels[17]--;
	e.label[3]++;
	data_finish(&e);
	ok(e.hash != d->hash, "another label, another hash");
	data_free(&e);
}

/* A share for validation out of data without any: grouped, stratified, the same each time. */
static void test_hold_out(void)
{
	struct dataset d, again;
	int32_t have[2][DATA_CLASSES] = { { 0 } };
	bool together = true, even = true;

	make(&d);
	memset(d.usage, SPLIT_TRAIN, N);
	data_finish(&d);
	make(&again);
	memset(again.usage, SPLIT_TRAIN, N);
	data_finish(&again);
	ok(data_hold_out(&d, .2) == DATA_OK && data_hold_out(&again, .2) == DATA_OK &&
			!memcmp(d.usage, again.usage, N) && d.hash == again.hash,
		"rows are held out, the same again");
	for (int i = 0; i < N; i++) {
		together = together && d.usage[i] == d.usage[d.group[i]];
		have[d.usage[i]][d.label[i]]++;
	}
	for (int c = 0; c < DATA_CLASSES; c++)
		even = even && abs(have[1][c] * 5 - have[0][c] - have[1][c]) <= 10;
	ok(together && count(&d, SPLIT_PUBLIC, FLAW_TWIN_BEFORE) == count(&d, SPLIT_PUBLIC, 0),
		"identical images stay together");
	ok(even && abs(count(&d, SPLIT_PUBLIC, 0) - N / 5) <= 4, "a fifth of each class: %d rows",
		(int)count(&d, SPLIT_PUBLIC, 0));
	data_free(&d);
	data_free(&again);
}

static void test_own_classes(void)
{
	static const char *const names[] = { "cat", "dog", "owl", "fox", "bat", "cow", "ant", "elk",
		"emu" };
	struct dataset d;
	struct data_rows rows;
	struct data_error error;
	uint64_t hash;
	int32_t counts[DATA_MOST_CLASSES];

	make(&d);
	hash = d.hash;
	ok(data_set_classes(&d, data_class_names, DATA_CLASSES) == DATA_OK &&
			data_finish(&d) == DATA_OK && d.hash == hash && !d.own_names,
		"FER2013's names are known again");
	for (int i = 0; i < N; i++)
		d.label[i] = (uint8_t)(i % 9);
	ok(data_set_classes(&d, names, 9) == DATA_OK && data_finish(&d) == DATA_OK &&
			!strcmp(d.class_names[8], "emu"),
		"nine classes of its own");
	hash = d.hash;
	data_set_classes(&d, (const char *const[]){ "c", "d", "o", "f", "b", "c", "a", "k", "e" }, 9);
	ok(data_finish(&d) == DATA_OK && d.hash != hash, "other names are other data");
	data_rows(&d, SPLIT_TRAIN, &(struct data_filter){ .limit = 90 }, &rows);
	data_class_counts(&d, &rows, counts);
	ok(rows.n == 90 && counts[8] == 10 && counts[0] == 10, "in proportion");
	data_rows_free(&rows);
	ok(data_ferplus(&d, other, false, &error) == DATA_MALFORMED &&
			strstr(error.text, "the data have others"),
		"FER+ is refused: %s", error.text);
	data_free(&d);
}

static void write_votes(const struct dataset *d, int rows)
{
	static const char *const votes[] = { "1,2,3,0,0,0,4,0,0,0", "0,0,0,0,0,0,0,0,0,10",
		"5,0,0,0,5,0,0,0,0,0", "0,8,0,0,0,0,0,2,0,0", "1,2,0,0,0,0,0,0,7,0" };
	FILE *file = fopen(other, "w");

	fprintf(file,
		"Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,"
		"unknown,NF\n");
	for (int i = 0; i < rows; i++)
		fprintf(file, "%s,fer%07d.png,%s\n", data_split_names[d->usage[i]], i,
			votes[i < 4 ? i : 4]);
	fclose(file);
}

static void test_ferplus(struct dataset *d)
{
	struct data_error error;
	uint8_t kept = d->label[1];
	uint64_t hash = d->hash;

	write_votes(d, N);
	ok(data_ferplus(d, other, true, &error) == DATA_OK, "FER+ votes");
	ok(d->label[0] == FEAR && d->label[2] == ANGRY && d->label[3] == HAPPY,
		"the highest vote, the first of a tie");
	ok(d->flaw[1] & FLAW_NO_LABEL && d->label[1] == kept && !(d->flaw[0] & FLAW_NO_LABEL),
		"no face: no label");
	ok(d->soft[FEAR] == .4f && d->soft[SURPRISE] == .3f && d->soft[NEUTRAL] == .1f &&
			d->soft[3 * DATA_CLASSES + HAPPY] == 1,
		"shares of the seven");
	ok(d->hash != hash && count(d, SPLIT_TRAIN, FLAW_NO_LABEL) == 3, "hash and rows follow");
	write_votes(d, N - 1);
	ok(data_ferplus(d, other, false, &error) == DATA_MALFORMED &&
			strstr(error.text, "399 rows, expected 400"),
		"too few rows: %s", error.text);
	d->usage[5] = SPLIT_PUBLIC;
	write_votes(d, N);
	d->usage[5] = SPLIT_TRAIN;
	ok(data_ferplus(d, other, false, &error) == DATA_MALFORMED &&
			strstr(error.text, ":7: another usage"),
		"another usage: %s", error.text);
}

/* --- reports --- */

static const char *contents(const char *path)
{
	static char text[8000];
	FILE *file = fopen(path, "r");
	size_t n = file ? fread(text, 1, sizeof(text) - 1, file) : 0;

	text[n] = 0;
	if (file)
		fclose(file);
	return text;
}

static void test_summary(void)
{
	struct report_epoch row = { .epoch = 1,
		.step = 10,
		.lr = .01,
		.train_loss = 1.5,
		.train_acc = .4,
		.val_loss = 1.6,
		.val_acc = .35,
		.val_precision = .3,
		.val_recall = .31,
		.val_f1 = .32,
		.val_auc = NAN,
		.epoch_seconds = 2.5,
		.train_img_per_s = 100,
		.val_seconds = .5,
		.best = true,
		.elapsed_seconds = 3 };
	struct report_summary s;
	char line[200];

	ok(!report_summary_open(&s, other, 0), "summary.csv is opened");
	for (row.epoch = 1; row.epoch <= 3; row.epoch++)
		report_summary_row(&s, &row);
	fputs("2,40,0.0", s.file); /* cut short */
	report_summary_close(&s);
	ok(!report_summary_open(&s, other, 2), "and again after epoch 2");
	row.epoch = 3;
	row.best = false;
	report_summary_row(&s, &row);
	report_summary_close(&s);
	ok(!strcmp(contents(other),
		   "epoch,step,lr,train_loss,train_acc,val_loss,val_acc,val_precision,val_recall,"
		   "val_f1,val_auc,epoch_seconds,train_img_per_s,val_seconds,best,elapsed_seconds\n"
		   "1,10,0.01,1.500000,0.400000,1.600000,0.350000,0.300000,0.310000,0.320000,,2."
		   "500,"
		   "100.0,0.500,1,3.000\n"
		   "2,10,0.01,1.500000,0.400000,1.600000,0.350000,0.300000,0.310000,0.320000,,2."
		   "500,"
		   "100.0,0.500,1,3.000\n"
		   "3,10,0.01,1.500000,0.400000,1.600000,0.350000,0.300000,0.310000,0.320000,,2."
		   "500,"
		   "100.0,0.500,0,3.000\n"),
		"rows of later epochs are replaced");
	row = (struct report_epoch){ .epoch = 12,
		.lr = 8.1e-3,
		.train_loss = .9921,
		.train_acc = .631,
		.val_loss = .973,
		.val_acc = .6425,
		.val_f1 = .619,
		.val_auc = .908,
		.epoch_seconds = 271,
		.train_img_per_s = 106,
		.best = true };
	report_epoch_line(line, sizeof(line), &row, 60, 12960);
	ok(!strcmp(line,
		   "epoch 12/60  loss 0.9921 acc 63.10 | val loss 0.9730 acc 64.25* f1 61.9 "
		   "auc 0.908 | lr 8.1e-03 | 271 s 106 img/s | eta 3h36m"),
		"%s", line);
	ok(report_summary_open(&s, "nowhere/summary.csv", 0) == -1, "a folder that is not there");
}

static void test_files(const struct dataset *d)
{
	struct data_rows rows = { .row = (int32_t[]){ 390, 11 }, .n = 2 };
	double p[2 * DATA_CLASSES] = { .5, .5 };
	const uint8_t label[2] = { d->label[390], d->label[11] };
	struct report_evaluation e = {
		.split = "PrivateTest", .temperature = NAN, .class_names = data_class_names
	};
	char expected[400];

	p[DATA_CLASSES + 3] = 1;
	metrics_compute(&e.all, p, label, 2, DATA_CLASSES);
	ok(!report_predictions(other, d, &rows, p), "predictions.csv");
	snprintf(expected, sizeof(expected),
		"row,usage,label,predicted,correct,twin,p_angry,p_disgust,p_fear,p_happy,p_sad,"
		"p_surprise,p_neutral\n"
		"390,PrivateTest,%s,angry,%d,1,0.5,0.5,0,0,0,0,0\n"
		"11,Training,%s,happy,%d,0,0,0,0,1,0,0,0\n",
		data_class_names[label[0]], label[0] == 0, data_class_names[label[1]],
		label[1] == 3);
	ok(!strcmp(contents(other), expected), "has a line for each row");
	ok(!report_confusion(other, &e.all, data_class_names) &&
			strstr(contents(other),
				"true\\predicted,angry,disgust,fear,happy,sad,surprise,"
				"neutral\nangry,"),
		"confusion.csv");
	ok(!report_metrics_json(other, &e, 1) && strstr(contents(other), "\"macro_auc\": "),
		"metrics.json");
	ok(report_metrics_json("nowhere/metrics.json", &e, 1) == -1, "a folder that is not there");
}

int main(void)
{
	struct dataset d;

	make(&d);
	test_rows(&d);
	test_facts(&d);
	test_limit(&d);
	test_mean(&d);
	test_folds(&d);
	test_hold_out();
	test_own_classes();
	test_read(&d);
	test_summary();
	test_files(&d);
	test_ferplus(&d);
	data_free(&d);
	remove(csv);
	remove(other);
	return done();
}
