/*
 * agreement.h: how far predictions agree with FER+, ten votes an image for FER2013's images
 * (Barsoum et al. 2016), while the labels stay FER2013's own.
 */
#ifndef FER_AGREEMENT_H
#define FER_AGREEMENT_H

#include "data.h"
#include "report.h"

struct agreement_votes {
	uint8_t *label;		/* [n] the highest vote of the data set's rows ... */
	bool *has_label;	/* [n] ... where one of the seven classes has it */
	float *share;		/* [n][classes] shares of the votes for the seven classes */
};

/* Reads the votes for d; d itself stays as it is. agreement_free() is due in every case. */
enum data_status agreement_read(struct agreement_votes *v, struct dataset *d, const char *path,
				struct data_error *error);
void agreement_free(struct agreement_votes *v);

/* Fills in e->ferplus from the probabilities p [rows->n][classes]. 0, or -1 where memory is short. */
int agreement_measure(struct report_evaluation *e, const double *p, const struct dataset *d,
		      const struct data_rows *rows, const struct agreement_votes *v);

#endif
