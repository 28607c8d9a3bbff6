/*
 * metrics.h: from predicted probabilities and true labels to numbers, as scikit-learn defines them.
 *
 * Everywhere: `p` is [n][k] doubles, each row a distribution over the k <= METRICS_CLASSES classes;
 * `label` is [n] in 0..k-1. The predicted class is the argmax, the lowest index of a tie.
 */
#ifndef FER_METRICS_H
#define FER_METRICS_H

#include <stdbool.h>
#include <stdint.h>

enum { METRICS_CLASSES = 64, METRICS_BINS = 15 };

struct interval {
	double low, high;
};

struct metrics {
	int32_t n;
	int32_t classes;
	int64_t confusion[METRICS_CLASSES][METRICS_CLASSES];	/* [true][predicted] */
	int64_t support[METRICS_CLASSES];			/* true rows of a class */
	double accuracy;		/* = micro precision, recall and F1 */
	struct interval accuracy95;	/* Wilson */
	double precision[METRICS_CLASSES];	/* 0/0 -> 0 */
	double recall[METRICS_CLASSES];
	double f1[METRICS_CLASSES];
	double auc[METRICS_CLASSES];	/* one against the rest, mid-ranks; NaN: absent, or alone */
	double macro_precision, macro_recall, macro_f1;		/* means over classes that occur, */
	double weighted_precision, weighted_recall, weighted_f1; /* in label or prediction */
	double balanced_accuracy;	/* mean recall of the classes that have rows */
	double kappa;			/* Cohen's; NaN where chance agreement is 1 */
	double macro_auc;		/* mean of the auc that are not NaN; NaN if all are */
	int32_t absent;			/* classes without an auc: say so beside macro_auc */
	double hard_auc;		/* mean over classes of (TPR + TNR)/2, to compare with
					 * papers that took AUC from hard labels */
	double log_loss;		/* mean -log p[label], p clipped at 2^-52 */
	double ece;			/* 15 bins (l, u] of top-1 confidence */
	struct {
		int32_t n;
		double confidence, accuracy;	/* means of the bin; 0 where empty */
	} bins[METRICS_BINS];		/* for the reliability diagram */
};

/* p = softmax(logits / temperature), in double. */
void metrics_softmax(const float *logits, int32_t n, int32_t k, double temperature, double *p);

/* The lowest index of the greatest of p[0..k-1]. */
int metrics_argmax(const double *p, int32_t k);

/* Everything above. 0, or -1 where memory is short. n = 0 gives zeros and NaN. */
int metrics_compute(struct metrics *m, const double *p, const uint8_t *label, int32_t n, int32_t k);

/* Wilson's score interval for `hits` of `n`, 95 %. */
struct interval metrics_wilson(int64_t hits, int64_t n);

/*
 * Percentile bootstrap, 95 %, of accuracy, macro F1 and macro AUC: `resamples` draws of n rows with
 * replacement, from the seed. 0, or -1 where memory is short.
 */
struct metrics_bootstrap {
	struct interval accuracy, macro_f1, macro_auc;
};
int metrics_bootstrap(struct metrics_bootstrap *b, const double *p, const uint8_t *label, int32_t n,
		      int32_t k, int resamples, uint64_t seed);

/* The temperature that minimises the log-loss of softmax(logits / T), in 0.05..20. */
double metrics_temperature(const float *logits, const uint8_t *label, int32_t n, int32_t k);

/*
 * McNemar's exact test of two models on the same rows: a_only rows that only the first has right,
 * b_only those that only the second has. The two-sided p-value; 1 where both are 0.
 */
double metrics_mcnemar(int64_t a_only, int64_t b_only);

#endif
