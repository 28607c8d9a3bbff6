/*
 * data_packed.h: a data set as one NumPy file that loads fast: an .npz (a zip of .npy arrays) with
 *
 *	delta.npy	uint8 [N,H,W,C]: I[y,x] - I[y,x-1] - I[y-1,x] + I[y-1,x-1] mod 256, 0 outside; its
 *			inverse is the sum along both axes, x.cumsum(1, 'u1').cumsum(2, 'u1') in NumPy
 *	labels.npy	uint8 [N]
 *	splits.npy	uint8 [N]: 0 Training, 1 PublicTest, 2 PrivateTest
 *	classes.npy	bytes [classes]: their names
 *	names.npy	bytes [N]: the files that the rows come from; only where there were files
 *	hash.npy	uint64 []: of the data, checked after reading
 *	restart.npy	uint64 [parts]: where in delta.npy's compressed data a part of PACKED_BLOCK bytes
 *			begins afresh, for readers with many hands
 *
 * Differences make grey images a third smaller than they are, and sums are quick. An .npz of someone
 * else's with images.npy instead of delta.npy (uint8 [N,H,W] or [N,H,W,C]) and labels.npy is read too;
 * the other arrays may be missing.
 */
#ifndef FER_DATA_PACKED_H
#define FER_DATA_PACKED_H

#include "data.h"

enum { PACKED_BLOCK = 1 << 20 };

/* Is it an .npz with images in it? */
bool data_is_packed(const char *path);
enum data_status data_load_packed(struct dataset *d, const char *path,
				  const struct data_options *options, struct data_error *error);
enum data_status data_save_packed(const struct dataset *d, const char *path, struct data_error *error);

#endif
