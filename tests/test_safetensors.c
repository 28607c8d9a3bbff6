/* Files: what is written is read back, what is damaged is refused, a failed write leaves the old file. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "optest.h"
#include "tap.h"

static char path[] = "/tmp/clgrad-file-XXXXXX";

static cg_params *make_params(cg_ctx *ctx, int64_t width, uint64_t seed)
{
	cg_params *p = cg_params_new(ctx);

	cg_params_add(p, "a.weight", 2, (int64_t[]){ 3, width }, CG_INIT_HE_NORMAL, 0);
	cg_params_add(p, "a.bias", 1, &width, CG_INIT_TRUNC_NORMAL, CG_PARAM_NO_DECAY);
	cg_params_add(p, "a.running", 1, &width, CG_INIT_ONE, CG_PARAM_STATISTIC);
	cg_params_init(p, seed);
	return p;
}

static cg_status save(cg_ctx *ctx, cg_params *p)
{
	cg_writer *w = cg_writer_new(ctx, path);

	cg_writer_meta(w, "note", "a \"quoted\"\nline");
	cg_params_save(p, w, "model.");
	return cg_writer_close(w);
}

static cg_status load(cg_ctx *ctx, cg_params *p)
{
	cg_file *f = cg_file_open(ctx, path);
	cg_status status = f ? cg_params_load(p, f, "model.") : cg_error_status(ctx);

	cg_file_close(f);
	return status;
}

static bool same(cg_params *p, cg_params *q)
{
	float a[64], b[64];

	for (int i = 0; i < cg_params_count(p); i++) {
		size_t bytes = (size_t)cg_array_count(cg_params_at(p, i)) * 4;

		cg_array_read(cg_params_at(p, i), a, bytes);
		cg_array_read(cg_params_at(q, i), b, bytes);
		if (memcmp(a, b, bytes) != 0)
			return false;
	}
	return true;
}

static void test_round_trip(cg_ctx *ctx)
{
	cg_params *p = make_params(ctx, 5, 1), *q = make_params(ctx, 5, 2),
		  *r = make_params(ctx, 6, 1);
	cg_params *again = make_params(ctx, 5, 1);
	cg_file *f;

	ok(same(p, again) && !same(p, q), "initial values follow the seed");
	ok(save(ctx, p) == CG_OK && load(ctx, q) == CG_OK && same(p, q),
		"saved and loaded: the same bits");
	f = cg_file_open(ctx, path);
	ok(f && strcmp(cg_file_meta(f, "note"), "a \"quoted\"\nline") == 0,
		"the metadata come back");
	ok(f && cg_file_meta(f, "other") == NULL && cg_file_find(f, "other") < 0,
		"what is not there is not found");
	cg_file_close(f);
	ok(load(ctx, r) == CG_ERR_MISMATCH, "another shape: %s", cg_error(ctx));
	cg_clear_error(ctx);
	cg_params_free(p);
	cg_params_free(q);
	cg_params_free(r);
	cg_params_free(again);
}

static void test_not_finite(cg_ctx *ctx)
{
	cg_params *p = make_params(ctx, 5, 1), *q = make_params(ctx, 5, 2),
		  *old = make_params(ctx, 5, 2);
	float bias[5] = { 0, 1, NAN, 3, 4 };

	cg_array_write(cg_params_find(p, "a.bias"), bias, sizeof(bias));
	save(ctx, p);
	ok(load(ctx, q) == CG_ERR_NOT_FINITE && strstr(cg_error(ctx), "a.bias: element 2"),
		"a NaN: %s", cg_error(ctx));
	cg_clear_error(ctx);
	ok(same(q, old), "and nothing was changed");
	cg_params_free(p);
	cg_params_free(q);
	cg_params_free(old);
}

enum { MOMENTS = 3 * 128 }; /* make_params(5): each of the three starts at 128 more */

/* A checkpoint of Adam's moments, m all 1 and v as given. */
static void write_moments(cg_ctx *ctx, const char *v_name, int64_t v_count, float v_last)
{
	cg_writer *w = cg_writer_new(ctx, path);
	float m[MOMENTS], v[MOMENTS];

	for (int i = 0; i < MOMENTS; i++)
		m[i] = v[i] = 1;
	v[v_count - 1] = v_last;
	cg_writer_meta(w, "optim.state", "1 7 7");
	cg_writer_add(w, "optim.m", CG_FLOAT32, 1, (int64_t[]){ MOMENTS }, m);
	cg_writer_add(w, v_name, CG_FLOAT32, 1, &v_count, v);
	cg_writer_close(w);
}

static cg_status load_moments(cg_ctx *ctx, cg_optim *o)
{
	cg_file *f = cg_file_open(ctx, path);
	cg_status status = f ? cg_optim_load(o, f, "optim.") : cg_error_status(ctx);

	cg_file_close(f);
	return status;
}

/* What it would save as m: 0 at first, 1 from the file. */
static float first_moment(cg_ctx *ctx, cg_optim *o)
{
	float m[MOMENTS] = { -1 };
	cg_writer *w = cg_writer_new(ctx, path);
	cg_file *f;

	cg_optim_save(o, w, "optim.");
	cg_writer_close(w);
	f = cg_file_open(ctx, path);
	if (f)
		cg_file_read(f, cg_file_find(f, "optim.m"), m, sizeof(m));
	cg_file_close(f);
	return m[0];
}

/* An optimiser's checkpoint is taken whole or not at all. */
static void test_moments(cg_ctx *ctx)
{
	static const struct {
		const char *name;
		int64_t count;
		float last;
		cg_status status;
	} bad[] = {
		{ "optim.w", MOMENTS, 1, CG_ERR_MISMATCH },
		{ "optim.v", MOMENTS - 1, 1, CG_ERR_MISMATCH },
		{ "optim.v", MOMENTS, NAN, CG_ERR_NOT_FINITE },
		{ "optim.v", MOMENTS, INFINITY, CG_ERR_NOT_FINITE },
	};
	cg_params *p = make_params(ctx, 5, 1);
	cg_optim *o = cg_optim_new(p, &(cg_optim_config){ .kind = CG_ADAM });

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		write_moments(ctx, bad[i].name, bad[i].count, bad[i].last);
		ok(load_moments(ctx, o) == bad[i].status && strstr(cg_error(ctx), "optim.v: "),
			"moments: %s", cg_error(ctx));
		cg_clear_error(ctx);
		ok(first_moment(ctx, o) == 0 && cg_optim_steps(o) == 0, "change nothing");
	}
	write_moments(ctx, "optim.v", MOMENTS, 1);
	ok(load_moments(ctx, o) == CG_OK && first_moment(ctx, o) == 1 && cg_optim_steps(o) == 7,
		"moments that are right are taken%s", cg_error(ctx));
	cg_optim_free(o);
	cg_params_free(p);
}

/* A file of the given header and `data` bytes. */
static void write_file(const char *header, uint64_t length, int data)
{
	FILE *f = fopen(path, "wb");

	for (int i = 0; i < 8; i++)
		fputc((int)(length >> 8 * i & 255), f);
	fputs(header, f);
	for (int i = 0; i < data; i++)
		fputc(0, f);
	fclose(f);
}

/* A tensor of the header: one float at bytes from..to of the data. */
#define F32(name, from, to) \
	"\"" name "\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[" #from "," #to "]}"

/* The header need not have tensors in the order of their data. */
static void test_order(cg_ctx *ctx)
{
	static const char header[] = "{" F32("b", 4, 8) "," F32("a", 0, 4) "," F32("c", 8, 12) "}";
	cg_file *f;

	write_file(header, strlen(header), 12);
	f = cg_file_open(ctx, path);
	ok(f && cg_file_count(f) == 3, "tensors in another order%s", cg_error(ctx));
	cg_file_close(f);
	cg_clear_error(ctx);
}

static void test_damage(cg_ctx *ctx)
{
	static const struct {
		const char *what, *header;
		int data;
		const char *named; /* a part of the message */
	} bad[] = {
		{ "nothing", "", 0, "" },
		{ "no object", "[1]", 0, "" },
		{ "an open object", "{\"a\":{\"dtype\":\"F32\"", 0, "" },
		{ "a tensor cut short",
			"{\"a\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,16]}}", 12, "" },
		{ "offsets that do not fit the shape",
			"{\"a\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,12]}}", 16, "" },
		{ "a negative length",
			"{\"a\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[16,0]}}", 16, "" },
		{ "an unknown type",
			"{\"a\":{\"dtype\":\"F7\",\"shape\":[4],\"data_offsets\":[0,16]}}", 16, "" },
		{ "a dimension of 0",
			"{\"a\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0]}}", 0, "" },
		{ "huge dimensions",
			"{\"a\":{\"dtype\":\"F32\",\"shape\":[2000000000,2000000000],\"data_"
			"offsets\":[0,0]}}",
			0, "" },
		{ "too many dimensions",
			"{\"a\":{\"dtype\":\"U8\",\"shape\":[1,1,1,1,1,1],\"data_offsets\":[0,1]}}",
			1, "" },
		{ "a number out of range",
			"{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,"
			"99999999999999999999]}}",
			1, "" },
		{ "something after the end", "{}{}", 0, "" },
		{ "a bad escape", "{\"\\x\":{}}", 0, "" },
		{ "a name twice", "{" F32("t.a", 0, 4) "," F32("t.a", 4, 8) "}", 8, ": t.a is" },
		{ "an overlap", "{" F32("t.b", 0, 4) "," F32("t.c", 0, 4) "}", 4, "overlap" },
		{ "an overlap by half", "{" F32("t.b", 2, 6) "," F32("t.c", 0, 4) "}", 6,
			": t.c and t.b overlap" },
		{ "a hole", "{" F32("t.b", 0, 4) "," F32("t.c", 8, 12) "}", 12, "before t.c" },
		{ "a hole at the start", "{" F32("t.b", 4, 8) "}", 8, "before t.b" },
		{ "bytes at the end", "{" F32("t.b", 0, 4) "}", 5, "behind t.b" },
		{ "bytes without a tensor", "{}", 1, "behind the header" },
		{ "a key twice", "{\"__metadata__\":{\"k\":\"1\",\"k\":\"2\"}}", 0,
			"__metadata__" },
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		cg_file *f;

		write_file(bad[i].header, strlen(bad[i].header), bad[i].data);
		f = cg_file_open(ctx, path);
		ok(f == NULL && cg_error_status(ctx) == CG_ERR_FORMAT &&
				strstr(cg_error(ctx), path) &&
				strstr(cg_error(ctx), bad[i].named),
			"%s: %s", bad[i].what, cg_error(ctx));
		cg_file_close(f);
		cg_clear_error(ctx);
	}
}

static void test_unopened(cg_ctx *ctx)
{
	write_file("{}", (uint64_t)1 << 60, 0);
	ok(cg_file_open(ctx, path) == NULL && cg_error_status(ctx) == CG_ERR_FORMAT,
		"a huge header: %s", cg_error(ctx));
	cg_clear_error(ctx);
	ok(cg_file_open(ctx, "/nonexistent/file") == NULL && cg_error_status(ctx) == CG_ERR_FILE,
		"no file: %s", cg_error(ctx));
	cg_clear_error(ctx);
}

static void test_failed_write(cg_ctx *ctx)
{
	cg_params *p = make_params(ctx, 5, 1);
	cg_writer *w = cg_writer_new(ctx, "/nonexistent/folder/file");

	cg_params_save(p, w, "");
	ok(cg_writer_close(w) == CG_ERR_FILE, "a folder that is not there: %s", cg_error(ctx));
	cg_clear_error(ctx);
	save(ctx, p);
	cg_params_free(p);
}

/* In a context of its own, which fails its first write. */
static void test_fault(void)
{
	cg_ctx *ctx;
	cg_params *p;
	cg_writer *w;

	setenv("CG_FAULT", "write:1", 1);
	cg_open(NULL, &ctx);
	unsetenv("CG_FAULT");
	p = make_params(ctx, 5, 2);
	w = cg_writer_new(ctx, path);
	cg_writer_meta(w, "note", "new");
	ok(cg_writer_close(w) == CG_ERR_FILE, "a write that fails: %s", cg_error(ctx));
	cg_clear_error(ctx);
	ok(load(ctx, p) == CG_OK, "leaves the old file");
	cg_params_free(p);
	cg_close(ctx);
}

int main(void)
{
	cg_ctx *ctx = optest_open();
	int fd;

	if (ctx == NULL)
		return optest_status();
	fd = mkstemp(path);
	if (fd < 0)
		return skip_all("no temporary file");
	close(fd);
	test_round_trip(ctx);
	test_not_finite(ctx);
	test_moments(ctx);
	test_order(ctx);
	test_damage(ctx);
	test_unopened(ctx);
	test_failed_write(ctx);
	cg_close(ctx);
	test_fault();
	remove(path);
	return done();
}
