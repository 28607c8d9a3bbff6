#include "order.h"

#include <string.h>

#include "random.h"

void order_epoch(int32_t *order, const struct data_rows *rows, uint64_t seed, int32_t epoch)
{
	memcpy(order, rows->row, (size_t)rows->n * sizeof(*order));
	for (int32_t i = rows->n - 1; i > 0; i--) {
		uint64_t bits = random_bits(seed, UINT64_C(0x6f72646572) + (uint64_t)epoch,
					    (uint64_t)i);
		int32_t j = (int32_t)random_below(bits, (uint32_t)i + 1), row = order[i];

		order[i] = order[j];
		order[j] = row;
	}
}
