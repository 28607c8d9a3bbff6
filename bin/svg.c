#include "svg.h"

#include <math.h>
#include <stdarg.h>
#include <string.h>

static const char style[] =
	"<style>\n"
	".fer{--bg:#fff;--ink:#1b1f24;--soft:#57606a;--grid:#dde2e7;--seq:#084b83;--on:#fff;"
	"--c0:#0077bb;--c1:#cc3311;--c2:#009988;--c3:#e0681f;--c4:#24a5d8;--c5:#ee3377;--c6:#"
	"707880;"
	"font:12px system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',sans-serif;"
	"fill:none;background:var(--bg)}\n"
	"@media(prefers-color-scheme:dark){.fer{--bg:#14181d;--ink:#e6edf3;--soft:#9da7b3;"
	"--grid:#30363d;--seq:#5eb1ff;--on:#0b1117;--c0:#4aa8e8;--c1:#f2705b;--c2:#2fc7b3;"
	"--c3:#f79a5c;--c4:#7bd5f7;--c5:#ff7aa8;--c6:#b5bcc4}}\n"
	".fer text{fill:var(--ink);stroke:none;text-anchor:middle}.fer .start{text-anchor:start}"
	".fer .end{text-anchor:end}.fer .small{font-size:10.5px}.fer .bold{font-weight:600}"
	".fer .head{font-size:14px;font-weight:600}.fer text.soft{fill:var(--soft);stroke:none}"
	".fer text.on{fill:var(--on)}\n"
	".fer .bg{fill:var(--bg);stroke:none}.fer .grid{stroke:var(--grid)}"
	".fer .soft{stroke:var(--soft)}.fer .ink{stroke:var(--ink)}"
	".fer .dash{stroke-dasharray:4 4}.fer .seq{fill:var(--seq);stroke:none}\n"
	".fer .curve{stroke-width:2;stroke-linejoin:round}"
	".fer .c0{stroke:var(--c0)}.fer .c1{stroke:var(--c1)}.fer .c2{stroke:var(--c2)}"
	".fer .c3{stroke:var(--c3)}.fer .c4{stroke:var(--c4)}.fer .c5{stroke:var(--c5)}"
	".fer .c6{stroke:var(--c6)}\n"
	".fer .curve.c1{stroke-dasharray:7 2}.fer .curve.c2{stroke-dasharray:2 2}"
	".fer .curve.c3{stroke-dasharray:9 2 2 2}.fer .curve.c4{stroke-dasharray:12 3}"
	".fer .curve.c5{stroke-dasharray:4 2}.fer .curve.c6{stroke-dasharray:1 3}"
	".fer .curve.plain{stroke-dasharray:none}\n"
	".fer .fill.c0{fill:var(--c0);stroke:none}.fer .fill.c1{fill:var(--c1);stroke:none}"
	".fer .fill.c2{fill:var(--c2);stroke:none}.fer .fill.c3{fill:var(--c3);stroke:none}"
	".fer .fill.c6{fill:var(--c6);stroke:none}.fer .hollow{fill:var(--bg);stroke-width:2}"
	".fer .pale{fill-opacity:.35}\n"
	"</style>\n";

void svg_escape(FILE *out, const char *text)
{
	for (; *text; text++) {
		switch (*text) {
		case '<': fputs("&lt;", out); break;
		case '>': fputs("&gt;", out); break;
		case '&': fputs("&amp;", out); break;
		case '"': fputs("&quot;", out); break;
		default: fputc(*text, out);
		}
	}
}

void svg_begin(FILE *out, double w, double h, const char *title, const char *description)
{
	fprintf(out,
		"<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"fer\" role=\"img\" width=\"%g\" "
		"height=\"%g\" viewBox=\"0 0 %g %g\" aria-label=\"",
		w, h, w, h);
	svg_escape(out, title);
	fputs(". ", out);
	svg_escape(out, description);
	fputs("\">\n<desc>", out);
	svg_escape(out, description);
	fputs("</desc>\n", out);
	fputs(style, out);
	svg_rect(out, 0, 0, w, h, "bg", NULL);
	svg_text(out, 10, 22, "head start", "%s", title);
}

void svg_end(FILE *out)
{
	fputs("</svg>\n", out);
}

/* --- marks --- */

static void text_body(FILE *out, const char *classes, const char *text)
{
	fprintf(out, " class=\"%s\">", classes);
	svg_escape(out, text);
	fputs("</text>\n", out);
}

void svg_text(FILE *out, double x, double y, const char *classes, const char *format, ...)
{
	char text[400];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	fprintf(out, "<text x=\"%.1f\" y=\"%.1f\"", x, y);
	text_body(out, classes, text);
}

void svg_text_up(FILE *out, double x, double y, const char *classes, const char *text)
{
	fprintf(out, "<text transform=\"translate(%.1f %.1f) rotate(-90)\"", x, y);
	text_body(out, classes, text);
}

void svg_line(FILE *out, double x1, double y1, double x2, double y2, const char *classes)
{
	fprintf(out, "<path d=\"M%.1f %.1fL%.1f %.1f\" class=\"%s\"/>\n", x1, y1, x2, y2, classes);
}

static void note_body(FILE *out, const char *element, const char *note)
{
	if (!note) {
		fputs("/>\n", out);
		return;
	}
	fputs("><title>", out);
	svg_escape(out, note);
	fprintf(out, "</title></%s>\n", element);
}

void svg_rect(
	FILE *out, double x, double y, double w, double h, const char *classes, const char *note)
{
	fprintf(out, "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" class=\"%s\"", x,
		y, fmax(0, w), fmax(0, h), classes);
	note_body(out, "rect", note);
}

void svg_shade(FILE *out, double x, double y, double w, double h, double share, const char *note)
{
	fprintf(out,
		"<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" class=\"seq\" "
		"fill-opacity=\"%.3f\"",
		x, y, w, h, share);
	note_body(out, "rect", note);
}

void svg_dot(FILE *out, double x, double y, double r, const char *classes, const char *note)
{
	fprintf(out, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"%.1f\" class=\"%s\"", x, y, r, classes);
	note_body(out, "circle", note);
}

/* --- plots --- */

double svg_at(const struct svg_axis *a, double value)
{
	return a->from + (value - a->low) / (a->high - a->low) * (a->to - a->from);
}

double svg_step(double low, double high, int count)
{
	double rough = (high - low) / count, power = pow(10, floor(log10(rough)));
	double lead = rough / power;

	return power * (lead < 1.5 ? 1 : lead < 3.5 ? 2 : lead < 7.5 ? 5 : 10);
}

/* The ticks lie on multiples of the step, a little beyond the ends too, for rounding's sake. */
static void ticks(FILE *out, const struct svg_axis *a, const struct svg_axis *other, bool is_x)
{
	double step = a->step > 0 ? a->step : svg_step(a->low, a->high, 5);
	double slack = 1e-6 * step;

	for (double i = ceil((a->low - slack) / step) + 0.; i * step <= a->high + slack; i++) {
		double at = svg_at(a, i * step);
		char text[32];

		snprintf(text, sizeof(text), a->format, i * step);
		if (is_x) {
			svg_line(out, at, other->from, at, other->to, "grid");
			svg_text(out, at, other->from + 16, "soft small", "%s", text);
		} else {
			svg_line(out, other->from, at, other->to, at, "grid");
			svg_text(out, other->from - 6, at + 4, "soft small end", "%s", text);
		}
	}
}

void svg_axes(FILE *out, const struct svg_axis *x, const struct svg_axis *y)
{
	ticks(out, x, y, true);
	ticks(out, y, x, false);
	svg_line(out, x->from, y->from, x->to, y->from, "soft");
	svg_line(out, x->from, y->from, x->from, y->to, "soft");
	svg_text(out, (x->from + x->to) / 2, y->from + 34, "soft", "%s", x->label);
	svg_text_up(out, x->from - 38, (y->from + y->to) / 2, "soft", y->label);
}

void svg_curve(FILE *out, const struct svg_axis *x, const struct svg_axis *y, const double *xs,
	const double *ys, int n, const char *classes)
{
	char next = 'M';

	fputs("<path d=\"", out);
	for (int i = 0; i < n; i++) {
		if (isnan(xs[i]) || isnan(ys[i])) {
			next = 'M';
			continue;
		}
		fprintf(out, "%c%.1f %.1f", next, svg_at(x, xs[i]), svg_at(y, ys[i]));
		next = 'L';
	}
	fprintf(out, "\" class=\"curve %s\"/>\n", classes);
}
