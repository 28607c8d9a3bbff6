/* Learning-rate schedules: pure functions of the step, but for plateau. */
#include "clgrad.h"

#include <math.h>

/* From a at t = 0 to b at t = 1 along half a cosine. */
static double cosine(double a, double b, double t)
{
	return b + (a - b) * .5 * (1 + cos(3.14159265358979323846 * t));
}

/* Rise from lr/25 over 30 % of the steps, fall to min_lr or lr/1e4 (Smith, Topin 2018; torch's OneCycleLR). */
static double onecycle(const cg_sched *s, double step)
{
	double last = s->steps > 1 ? (double)(s->steps - 1) : 1, top = .3 * (double)s->steps - 1;
	double end = s->min_lr > 0 ? s->min_lr : s->lr / 25 / 1e4;

	if (step > last)
		step = last;
	if (step <= top)
		return cosine(s->lr / 25, s->lr, step / top);
	return cosine(s->lr, end, (step - top) / (last - top));
}

float cg_sched_lr(const cg_sched *s, uint64_t step)
{
	double lr = s->lr, x = (double)step;

	if (s->kind == CG_SCHED_ONECYCLE)
		return (float)onecycle(s, x);
	if (step < s->warmup)
		return (float)(lr * (x + 1) / (double)s->warmup);
	if (s->kind == CG_SCHED_COSINE && s->steps > s->warmup) {
		double t = (x - (double)s->warmup) / (double)(s->steps - s->warmup);

		return (float)cosine(lr, s->min_lr, t < 1 ? t : 1);
	}
	if (s->kind == CG_SCHED_PLATEAU) {
		lr *= s->scale > 0 ? s->scale : 1;
		return (float)(lr > s->min_lr ? lr : s->min_lr);
	}
	return (float)lr;
}

void cg_sched_epoch(cg_sched *s, float value)
{
	if (s->kind != CG_SCHED_PLATEAU)
		return;
	if (s->scale <= 0)
		s->scale = 1;
	if (!s->seen || value > s->best) {
		s->seen = true;
		s->best = value;
		s->bad_epochs = 0;
	} else if (++s->bad_epochs > s->patience) {
		s->scale *= s->factor > 0 ? s->factor : .5f;
		s->bad_epochs = 0;
	}
}
