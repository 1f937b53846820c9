/* SPDX-License-Identifier: BSD-3-Clause */
#include "perf/search.h"

int rwy_search_run(const struct rwy_search *search, double *rate, double *lost)
{
	double low = search->low, high = search->high, next = high;

	*rate = low;
	*lost = 0;
	for (unsigned i = 0; i < search->trials && high - low > search->precision * high; i++) {
		double loss;
		int err = search->trial(search->ctx, next, &loss);

		if (err < 0)
			return err;
		if (loss <= search->loss) {
			*rate = low = next;
			*lost = loss;
		} else {
			high = next;
		}
		next = low + (high - low) / 2;
	}
	return 0;
}
