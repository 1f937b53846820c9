/* SPDX-License-Identifier: BSD-3-Clause */
#include "iommu/token.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char form[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";

_Static_assert(sizeof(form) == RWY_TOKEN_LEN, "the text's length");

int rwy_token_parse(const char *text, uint8_t token[16])
{
	unsigned nr = 0;

	if (strlen(text) != sizeof(form) - 1)
		return -EINVAL;
	for (unsigned i = 0; form[i]; i++)
		if (form[i] == 'x' ? !isxdigit((unsigned char)text[i]) : text[i] != form[i])
			return -EINVAL;
	for (unsigned i = 0; form[i]; i += form[i] == 'x' ? 2 : 1) {
		const char digits[] = {text[i], text[i + 1], '\0'};

		if (form[i] == 'x')
			token[nr++] = (uint8_t)strtoul(digits, NULL, 16);
	}
	return 0;
}
