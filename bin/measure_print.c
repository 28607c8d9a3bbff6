/* measure_print.c: rows of measurements as a table, CSV or JSON. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "csv.h"
#include "measure.h"

/* A number, or a dash where there is none. */
static const char *cell(char text[32], const char *format, double value)
{
	if (isfinite(value) && value > 0)
		snprintf(text, 32, format, value);
	else
		snprintf(text, 32, "-");
	return text;
}

static double per_second(double amount, const struct measure_row *r)
{
	return r->seconds > 0 ? amount / r->seconds : NAN;
}

static void table_row(const struct measure_row *r)
{
	char ms[32], images[32], rate[32], bytes[32], share[32], part[32], mib[32];

	printf("%-7s %5d %10s %7s %9s %9s %8s %8s %8s  %s\n", r->kind, r->count,
	       cell(ms, "%.3f", 1e3 * r->seconds), cell(part, "%.1f %%", 100 * r->part),
	       cell(images, "%.1f", per_second(r->images, r)),
	       cell(rate, "%.1f", 1e-9 * per_second(r->flops, r)),
	       cell(bytes, "%.1f", 1e-9 * per_second(r->bytes, r)),
	       cell(share, "%.0f %%", 100 * per_second(r->floor, r)),
	       cell(mib, "%.1f", r->mib), r->name);
}

static void print_table(const struct measure *m, const cg_ctx *ctx)
{
	const cg_device_info *d = cg_device(ctx);

	printf("device   %s, %u compute units, %s (driver %s)\nkernels  %s family, products by %s\n"
	       "ceiling  %.0f GFLOP/s, %.1f GB/s\n\n", d->name, d->compute_units, d->platform_name,
	       d->driver, cg_family(ctx), cg_gemm_backend(ctx), 1e-9 * m->ceiling.flops,
	       1e-9 * m->ceiling.bytes);
	printf("%-7s %5s %10s %7s %9s %9s %8s %8s %8s  %s\n", "what", "count", "ms", "part", "img/s",
	       "GFLOP/s", "GB/s", "ceiling", "MiB", "name");
	for (int i = 0; i < m->n; i++)
		table_row(&m->row[i]);
}

static void print_csv(const struct measure *m)
{
	printf("what,count,ms,part,img_per_s,gflop_per_s,gb_per_s,ceiling,mib,name\n");
	for (int i = 0; i < m->n; i++) {
		const struct measure_row *r = &m->row[i];
		const double value[] = { 1e3 * r->seconds, r->part, per_second(r->images, r),
			1e-9 * per_second(r->flops, r), 1e-9 * per_second(r->bytes, r),
			per_second(r->floor, r), r->mib };

		printf("%s,%d", r->kind, r->count);
		for (int k = 0; k < 7; k++)
			isfinite(value[k]) ? printf(",%.6g", value[k]) : printf(",");
		putchar(',');
		csv_field(stdout, r->name);
		putchar('\n');
	}
}

static void print_json(const struct measure *m, const cg_ctx *ctx)
{
	const cg_device_info *d = cg_device(ctx);
	struct json j;

	json_open(&j, stdout);
	json_object(&j, NULL);
	json_text(&j, "device", d->name);
	json_text(&j, "platform", d->platform_name);
	json_text(&j, "driver", d->driver);
	json_text(&j, "family", cg_family(ctx));
	json_text(&j, "gemm", cg_gemm_backend(ctx));
	json_real(&j, "ceiling_flops", m->ceiling.flops);
	json_real(&j, "ceiling_bytes", m->ceiling.bytes);
	json_array(&j, "rows");
	for (int i = 0; i < m->n; i++) {
		const struct measure_row *r = &m->row[i];

		json_line(&j, NULL);
		json_text(&j, "what", r->kind);
		json_text(&j, "name", r->name);
		json_int(&j, "count", r->count);
		json_real(&j, "seconds", r->seconds);
		json_real(&j, "part", r->part);
		json_real(&j, "images_per_s", per_second(r->images, r));
		json_real(&j, "flops", r->flops);
		json_real(&j, "bytes", r->bytes);
		json_real(&j, "ceiling", per_second(r->floor, r));
		json_real(&j, "mib", r->mib);
		json_end(&j);
	}
	json_end(&j);
	json_end(&j);
	json_close(&j);
}

int measure_print(const struct measure *m, const cg_ctx *ctx, const char *format)
{
	if (!strcmp(format, "csv"))
		print_csv(m);
	else if (!strcmp(format, "json"))
		print_json(m, ctx);
	else
		print_table(m, ctx);
	return fflush(stdout) || ferror(stdout) ? -1 : 0;
}
