/* Joins m values of the given mean and M2 to what `count` values gave before. */
static inline void cg_join(float count, cg_lanes *mean, cg_lanes *m2, float m, cg_lanes mean_b,
	cg_lanes m2_b)
{
	const float share = m / (count + m);
	const cg_lanes d = mean_b - *mean;

	*mean += d * share;
	*m2 += m2_b + d * d * (count * share);
}
