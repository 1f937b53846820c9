/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/fuzz/fuzz_vq.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return fuzz_vq(false, data, size);
}
