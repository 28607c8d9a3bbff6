#include "page.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "charts.h"
#include "svg.h"

static const char head[] =
	"<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n"
	"<meta name=\"viewport\" content=\"width=device-width\">\n"
	"<meta name=\"color-scheme\" content=\"light dark\">\n<style>\n"
	":root{color-scheme:light dark;--page:#f5f7f9;--card:#fff;--ink:#1b1f24;--soft:#57606a;"
	"--line:#dde2e7;--claim:#a33a10;--link:#0b5fa5}\n"
	"@media(prefers-color-scheme:dark){:root{--page:#0b0e12;--card:#14181d;--ink:#e6edf3;"
	"--soft:#9da7b3;--line:#30363d;--claim:#f79a5c;--link:#5eb1ff}}\n"
	"*{box-sizing:border-box}body{margin:0 auto;padding:20px 16px 60px;max-width:1080px;"
	"background:var(--page);color:var(--ink);"
	"font:15px/1.5 system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',sans-serif}\n"
	"h1{font-size:1.6rem;line-height:1.25;margin:0 0 4px}h2{font-size:1.25rem;margin:36px 0 "
	"10px}"
	"h3{font-size:1.02rem;margin:24px 0 8px}p{max-width:72ch;margin:8px 0}"
	".soft{color:var(--soft)}.note{border-left:3px solid var(--claim);padding-left:12px}\n"
	"a{color:var(--link)}nav a{margin-right:14px;white-space:nowrap}\n"
	".card,.scroll,details{background:var(--card);border:1px solid var(--line);"
	"border-radius:8px}.card{padding:6px 14px}.scroll{overflow-x:auto;margin:10px 0}"
	"details{padding:8px 14px;margin:12px 0}summary{cursor:pointer}\n"
	"table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums;font-size:."
	"92rem}"
	"caption{text-align:left;padding:8px 12px;font-weight:600}"
	"th,td{padding:5px 9px;text-align:right;border-top:1px solid "
	"var(--line);white-space:nowrap}"
	"th{font-weight:600;color:var(--soft)}"
	"th:first-child,td:first-child{text-align:left;position:sticky;left:0;background:var(--"
	"card)}"
	".text{text-align:left}td.wide{white-space:normal;min-width:150px;text-align:left}.claim{color:var(--claim)}\n"
	"dl{display:grid;grid-template-columns:max-content 1fr;gap:2px 16px;margin:8px 0}"
	"dt{color:var(--soft)}dd{margin:0;overflow-wrap:anywhere}\n"
	".figures{display:grid;gap:14px;"
	"grid-template-columns:repeat(auto-fit,minmax(min(100%,400px),1fr));align-items:start}"
	".figures>div{border:1px solid var(--line);border-radius:8px;overflow:hidden;"
	"background:var(--card)}.figures svg{display:block;width:100%;height:auto;max-width:560px;"
	"margin:auto}\n"
	".gallery{display:grid;grid-template-columns:repeat(auto-fill,minmax(112px,1fr));gap:12px}"
	".gallery.pairs{grid-template-columns:repeat(auto-fill,minmax(176px,1fr))}"
	"figure{margin:0;font-size:.85rem;line-height:1.35}figcaption b{font-weight:600}"
	"img{image-rendering:pixelated;border-radius:4px;background:#888;margin-right:4px}"
	".pairs img{max-width:calc(50% - 4px)}.pairs img+img{image-rendering:auto}pre{overflow-x:auto;font-size:.85rem}\n"
	".tables{display:grid;gap:0 14px;margin:4px 0;"
	"grid-template-columns:repeat(auto-fit,minmax(min(100%,400px),1fr));align-items:start}"
	"dl.card{margin:14px 0}\n"
	"@media print{body{max-width:none}.figures>div,figure{break-inside:avoid}}\n"
	"</style>\n";

/* --- pieces --- */

void page__element(FILE *out, const char *tag, const char *format, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	fprintf(out, "<%s>", tag);
	svg_escape(out, text);
	fprintf(out, "</%.*s>\n", (int)strcspn(tag, " "), tag);
}

void page__table(FILE *out, const char *caption, const char *const *heads, int n)
{
	fputs("<div class=\"scroll\"><table>\n", out);
	page__element(out, "caption", "%s", caption);
	fputs("<tr>", out);
	for (int i = 0; i < n; i++)
		if (*heads[i] == '-')
			page__element(out, "th scope=\"col\" class=\"text\"", "%s", heads[i] + 1);
		else
			page__element(out, "th scope=\"col\"", "%s", heads[i]);
	fputs("</tr>\n", out);
}

void page__table_end(FILE *out)
{
	fputs("</table></div>\n", out);
}

static void fact(FILE *out, const char *name, const char *format, const char *value)
{
	if (!*value)
		return;
	page__element(out, "dt", "%s", name);
	page__element(out, "dd", format, value);
}

static void facts(FILE *out, const struct run *r)
{
	char text[RUNDIR_PATH], seed[RUN_TEXT];

	fputs("<dl class=\"card\">\n", out);
	fact(out, "folder", "%s", r->dir);
	if (r->options) {
		snprintf(text, sizeof(text), "fer-train --config %.900s/args.ini", r->dir);
		fact(out, "command", "%s", text);
	}
	fact(out, "model", "%s", r->model);
	fact(out, "weights", "%s", r->checkpoint);
	fact(out, "data", "%s", r->data);
	fact(out, "hash of the data", "%s", r->data_hash);
	snprintf(text, sizeof(text), "%s, %d images%s%s", r->split, (int)r->all.n,
		*r->tta && strcmp(r->tta, "none") ? ", test-time augmentation " : "",
		*r->tta && strcmp(r->tta, "none") ? r->tta : "");
	fact(out, "judged on", "%s", text);
	fact(out, "seed", "%s", run_option(r, "seed", seed));
	if (run_best(r) >= 0) {
		snprintf(text, sizeof(text), "%d, the best is %d",
			(int)r->epoch[r->epochs - 1].epoch, (int)r->epoch[run_best(r)].epoch);
		fact(out, "epochs", "%s", text);
	}
	fact(out, "device", "%s", r->device);
	if (*r->platform) {
		snprintf(text, sizeof(text), "%s, driver %s, kernels for %s", r->platform,
			r->driver, r->family);
		fact(out, "OpenCL", "%s", text);
	}
	fact(out, "clgrad", "%s", r->version);
	fputs("</dl>\n", out);
}

/* --- figures --- */

static int figures(FILE *out, const struct run *r)
{
	char *classes = run_file(r, "classes.svg");
	int failed;

	fputs("<div class=\"figures\">\n", out);
	if (r->epochs) {
		fputs("<div>", out);
		charts_curves(out, r->epoch, r->epochs);
		fputs("</div>\n", out);
	}
	if (r->folds) {
		fputs("<div>", out);
		charts_folds(out, r->fold, r->folds);
		fputs("</div>\n", out);
	}
	fputs("<div>", out);
	charts_confusion(out, &r->all, r->names);
	fputs("</div>\n<div>", out);
	failed = charts_roc(out, &r->all, r->predictions.p, r->predictions.label, r->names);
	fputs("</div>\n<div>", out);
	charts_reliability(out, &r->all);
	fputs("</div>\n", out);
	if (classes && !strncmp(classes, "<svg", 4))
		fprintf(out, "<div>%s</div>\n", classes);
	fputs("</div>\n", out);
	free(classes);
	return failed;
}

static void comparison(FILE *out, const struct page_run *runs, int n)
{
	struct charts_run *list = calloc((size_t)n, sizeof(*list));

	for (int i = 0; list && i < n; i++)
		list[i] = (struct charts_run){ runs[i].run.name, &runs[i].run.all,
			&runs[i].run.without_twins,
			page_claim(runs[i].run.model, &runs[i].run.predictions, runs[i].run.data) };
	if (list) {
		fputs("<div class=\"figures\"><div>", out);
		charts_comparison(out, list, n);
		fputs("</div></div>\n", out);
	}
	free(list);
}

/* --- pictures --- */

static double share(const struct run *r, int32_t i)
{
	const struct predictions *s = &r->predictions;

	return 100 * s->p[(size_t)i * (size_t)s->classes + s->predicted[i]];
}

static void caption(FILE *out, const struct run *r, int32_t i)
{
	const struct predictions *s = &r->predictions;

	fputs("<figcaption><b>", out);
	svg_escape(out, r->names[s->predicted[i]]);
	fprintf(out, "</b> %.0f&nbsp;%%<br><span class=\"soft\">", share(r, i));
	if (s->label[i] == s->predicted[i]) {
		fputs("is right", out);
	} else {
		fputs("is labelled ", out);
		svg_escape(out, r->names[s->label[i]]);
	}
	fprintf(out, ", row %d</span></figcaption></figure>\n", (int)s->row[i]);
}

static int mistakes(FILE *out, const struct page_run *p)
{
	int failed = 0;

	page__element(out, "h3", "The most confident mistakes");
	page__element(out, "p class=\"soft\"",
		"What the network says with which confidence, and the label. A label may be wrong, "
		"too: with FER2013's, people agree in about two of three pictures.");
	fputs("<div class=\"gallery\">\n", out);
	for (int i = 0; i < p->gallery.wrong_count && !failed; i++) {
		char alt[300];
		int32_t at = p->gallery.wrong[i];

		snprintf(alt, sizeof(alt), "labelled %s, taken for %s",
			p->run.names[p->run.predictions.label[at]],
			p->run.names[p->run.predictions.predicted[at]]);
		fputs("<figure>", out);
		failed = gallery_picture(out, &p->gallery, i, alt);
		caption(out, &p->run, at);
	}
	fputs("</div>\n", out);
	return failed;
}

static int explained(FILE *out, const struct page_run *p)
{
	bool gradcam = p->gallery.kind == EXPLAIN_GRADCAM;
	int failed = 0;

	page__element(out, "h3",
		gradcam ? "Where the network looked: Grad-CAM"
			: "Where the network looked: attention rollout");
	page__element(out, "p class=\"soft\"",
		gradcam ? "Bright: what raised the logit of the predicted class most, in the last "
			  "feature "
			  "map (%d by %d cells). First the most confident right answers, then "
			  "mistakes. A "
			  "map shows where, not why."
			: "Bright: patches (%d by %d) that the class token's attention came from, "
			  "through all "
			  "blocks. First the most confident right answers, then mistakes. A map "
			  "shows where, "
			  "not why.",
		(int)p->gallery.h, (int)p->gallery.w);
	fputs("<div class=\"gallery pairs\">\n", out);
	for (int i = 0; i < p->gallery.count && !failed; i++) {
		int32_t at = p->gallery.explained[i];

		fputs("<figure>", out);
		failed = gallery_picture(out, &p->gallery, p->gallery.wrong_count + i, "picture");
		if (!failed)
			failed = gallery_overlay(out, &p->gallery, i, "the picture under its map");
		caption(out, &p->run, at);
	}
	fputs("</div>\n", out);
	return failed;
}

/* --- the page --- */

static int section(FILE *out, const struct page_run *p, int number, bool alone)
{
	int failed;

	fprintf(out, "<section id=\"run%d\">\n", number);
	if (!alone)
		page__element(out, "h2", "%s", p->run.name);
	facts(out, &p->run);
	page__folds(out, &p->run);
	failed = figures(out, &p->run);
	fputs("<div class=\"tables\">\n", out);
	page__measures(out, &p->run);
	page__classes(out, &p->run);
	fputs("</div>\n", out);
	if (p->gallery.wrong_count && !failed)
		failed = mistakes(out, p);
	if (p->gallery.map && !failed)
		failed = explained(out, p);
	if (p->run.options) {
		fputs("<details><summary>All options (args.ini)</summary><pre>", out);
		svg_escape(out, p->run.options);
		fputs("</pre></details>\n", out);
	}
	fputs("</section>\n", out);
	return failed;
}

static void title(FILE *out, const struct page_run *runs, int n)
{
	fputs(head, out);
	page__element(
		out, "title", n > 1 ? "%s and others: report" : "%s: report", runs[0].run.name);
	page__element(out, "h1", n > 1 ? "%d runs compared" : "Report of a run", n);
	if (n == 1) {
		page__element(out, "p class=\"soft\"", "%s", runs[0].run.name);
		return;
	}
	fputs("<nav>", out);
	for (int i = 0; i < n; i++) {
		fprintf(out, "<a href=\"#run%d\">", i);
		svg_escape(out, runs[i].run.name);
		fputs("</a> ", out);
	}
	fputs("</nav>\n", out);
}

static bool all_of_fer2013(const struct page_run *runs, int n)
{
	for (int i = 0; i < n; i++)
		if (!page_is_fer2013(&runs[i].run.predictions, runs[i].run.data))
			return false;
	return true;
}

int page_write(FILE *out, const struct page_run *runs, int n)
{
	int failed = 0;

	title(out, runs, n);
	page__results(out, runs, n);
	if (n > 1)
		comparison(out, runs, n);
	for (int i = 0; i < n && !failed; i++)
		failed = section(out, &runs[i], i, n == 1);
	if (all_of_fer2013(runs, n))
		page__paper(out, runs, n);
	fputs("</html>\n", out);
	return failed;
}
