/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Cuts a stream of bytes into JSON texts, as QMP sends them: one after the other, with or without
 * white space between them, split anywhere. It counts brackets and knows strings; whether a text is
 * JSON is for its reader to see. What is no text, too long or too deep is skipped to the end of the
 * line, so that a client that went wrong once is understood again.
 */
#ifndef RWY_VMM_QMP_FRAME_H
#define RWY_VMM_QMP_FRAME_H

#include "lib/base.h"

#define RWY_QMP_FRAME_MAX   65536 /* bytes of a text */
#define RWY_QMP_FRAME_DEPTH 64	  /* brackets in brackets */

enum rwy_qmp_frame_step {
	RWY_QMP_FRAME_MORE,
	RWY_QMP_FRAME_DONE, /* text[0, len) is one; the next byte begins another */
	RWY_QMP_FRAME_BAD,  /* why says so; once for all that is skipped */
};

/* Zeroed is empty. */
struct rwy_qmp_frame {
	unsigned len;
	unsigned depth;
	bool in_string;
	bool escaped;
	bool skipping;
	const char *why;
	char text[RWY_QMP_FRAME_MAX];
};

enum rwy_qmp_frame_step rwy_qmp_frame_feed(struct rwy_qmp_frame *frame, char c);
/* As if nothing had come yet. */
void rwy_qmp_frame_reset(struct rwy_qmp_frame *frame);

#endif
