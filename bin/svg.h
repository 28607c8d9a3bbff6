/*
 * svg.h: writes an SVG picture to a stream: text, lines, rectangles, curves, and plots with axes.
 * Colours are CSS variables that follow the reader's light or dark setting; classes choose them:
 *
 *	c0 .. c6	a series: its stroke and fill (Tol's vibrant scheme, which colour-blind people can
 *			tell apart; lines differ in their dashes too)
 *	ink soft grid	text and lines of falling weight
 *
 * Coordinates are pixels at the picture's natural size, y downwards.
 */
#ifndef FER_SVG_H
#define FER_SVG_H

#include <stdio.h>

#include "cli.h"

enum { SVG_SERIES = 7 };

/* `title` is the heading, and with `description` what a screen reader says. */
void svg_begin(FILE *out, double w, double h, const char *title, const char *description);
void svg_end(FILE *out);

/* Text with <, >, & and quotes escaped; for HTML as well. */
void svg_escape(FILE *out, const char *text);

/* Classes of text: start, middle, end (its anchor), small, bold, and those of colour. */
void svg_text(FILE *out, double x, double y, const char *classes, const char *format, ...)
	CLI_PRINTF(5, 6);
/* The same, turned by 90 degrees to the left. */
void svg_text_up(FILE *out, double x, double y, const char *classes, const char *text);
void svg_line(FILE *out, double x1, double y1, double x2, double y2, const char *classes);
/* `note` appears where the pointer rests; NULL: none. */
void svg_rect(FILE *out, double x, double y, double w, double h, const char *classes, const char *note);
/* The colour of shares, 0..1. */
void svg_shade(FILE *out, double x, double y, double w, double h, double share, const char *note);
void svg_dot(FILE *out, double x, double y, double r, const char *classes, const char *note);

/* --- plots --- */

/* From values to pixels. */
struct svg_axis {
	double low, high;	/* values at the ends */
	double from, to;	/* pixels at the ends */
	const char *label;	/* with its unit */
	const char *format;	/* of tick values */
	double step;		/* between ticks; 0: a round one */
};

double svg_at(const struct svg_axis *a, double value);
/* 1, 2 or 5 times a power of ten, about `count` of them in high - low. */
double svg_step(double low, double high, int count);
/* Grid, ticks and labels. */
void svg_axes(FILE *out, const struct svg_axis *x, const struct svg_axis *y);

/* A curve through n points; NaN interrupts it. */
void svg_curve(FILE *out, const struct svg_axis *x, const struct svg_axis *y, const double *xs,
	       const double *ys, int n, const char *classes);

#endif
