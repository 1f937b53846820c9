/* SPDX-License-Identifier: BSD-3-Clause */
#include "lib/bdf.h"

#include "lib/sysfs.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

void rwy_bdf_format(char bdf[RWY_BDF_LEN], unsigned domain, unsigned bus, unsigned devfn)
{
	snprintf(bdf, RWY_BDF_LEN, "%04x:%02x:%02x.%x", domain & 0xffff, bus & 0xff,
		 devfn >> 3 & 0x1f, devfn & 7);
}

static int parse(const char *text, char bdf[RWY_BDF_LEN])
{
	unsigned domain = 0, bus, device, function;
	int end = 0;

	/* sscanf would take a sign or blanks, too. */
	if (text[strspn(text, "0123456789abcdefABCDEF:.")])
		return -EINVAL;
	if (sscanf(text, "%4x:%2x:%2x.%1x%n", &domain, &bus, &device, &function, &end) != 4) {
		domain = 0;
		end = 0;
		if (sscanf(text, "%2x:%2x.%1x%n", &bus, &device, &function, &end) != 3)
			return -EINVAL;
	}
	if (text[end] || device > 0x1f || function > 7)
		return -EINVAL;
	rwy_bdf_format(bdf, domain, bus, device << 3 | function);
	return 0;
}

int rwy_bdf_parse(const char *text, char bdf[RWY_BDF_LEN])
{
	char path[RWY_SYSFS_PATH], target[64];
	size_t len = strlen(text);
	const char *last;

	if (text[0] != '/')
		return parse(text, bdf);
	while (len > 1 && text[len - 1] == '/')
		len--;
	if (len >= sizeof(path))
		return -EINVAL;
	memcpy(path, text, len);
	path[len] = '\0';
	last = strrchr(path, '/') + 1;
	if (parse(last, bdf) == 0)
		return 0;
	if (rwy_sysfs_read_link("", target, sizeof(target), "%s", path) < 0)
		return -EINVAL;
	return parse(target, bdf);
}
