/* Tables on stdout, as text or Markdown: the same cells in both. */
#include "bench.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

bool markdown;

void table_begin(const char *title, const char *columns)
{
	char text[512], *rest = text, *column;
	int n = 0;

	snprintf(text, sizeof(text), "%s", columns);
	printf(markdown ? "\n### %s\n\n" : "\n%s\n", title);
	for (; (column = strtok_r(rest, "|", &rest)); n++)
		if (markdown)
			printf("| %s ", column);
		else
			printf(n ? " %12s" : "%-34s", column);
	if (!markdown) {
		printf("\n");
		return;
	}
	printf("| |\n| --- ");
	while (--n > 0)
		printf("| ---: ");
	printf("| --- |\n");
}

void table_cell(struct cells *c, const char *format, double value)
{
	char *text = c->text[c->count++];

	if (isfinite(value))
		snprintf(text, sizeof(c->text[0]), format, value);
	else
		snprintf(text, sizeof(c->text[0]), "-");
}

void table_goal(struct cells *c, const char *format, double scale, struct goal goal)
{
	char *text = c->text[c->count];
	size_t length;

	table_cell(c, format, scale * goal.value);
	if (!(goal.bar > 0))
		return;
	length = strlen(text);
	snprintf(text + length, sizeof(c->text[0]) - length, " / ");
	length = strlen(text);
	snprintf(text + length, sizeof(c->text[0]) - length, format, scale * goal.bar);
}

static const char *const verdicts[] = { [MET] = "", [SHORT] = "SHORT ", [OPEN] = "OPEN " };

void table_row(const struct row *r, const struct cells *c)
{
	printf(markdown ? "| `%s` " : "%-34s", r->name);
	for (int i = 0; i < c->count; i++)
		printf(markdown ? "| %s " : " %12s", c->text[i]);
	printf(markdown ? "| %s%s |\n" : "  %s%s\n", verdicts[judge(r)], r->note);
	fflush(stdout);
}

static bool is_set(struct goal g)
{
	return g.bar > 0 && !isnan(g.value);
}

static bool is_met(struct goal g)
{
	return is_set(g) && (g.at_most ? g.value <= g.bar : g.value >= g.bar);
}

enum verdict judge(const struct row *r)
{
	const struct goal *g[] = { &r->of_peak, &r->ratio, &r->of_floor, &r->share };
	int bars = 0, set = 0;

	if (r->wrong)
		return SHORT;
	for (int i = 0; i < 4; i++) {
		if (is_met(*g[i]))
			return MET;
		bars += g[i]->bar > 0;
		set += is_set(*g[i]);
	}
	return !bars ? MET : set < bars ? OPEN : SHORT;
}
