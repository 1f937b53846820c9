/* SPDX-License-Identifier: BSD-3-Clause */
#include "vmm/qmp_frame.h"

static bool is_control(char c)
{
	return (unsigned char)c < ' ';
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

void rwy_qmp_frame_reset(struct rwy_qmp_frame *frame)
{
	frame->len = 0;
	frame->depth = 0;
	frame->in_string = false;
	frame->escaped = false;
	frame->skipping = false;
}

static enum rwy_qmp_frame_step refuse(struct rwy_qmp_frame *frame, char c, const char *why)
{
	rwy_qmp_frame_reset(frame);
	frame->skipping = c != '\n';
	frame->why = why;
	return RWY_QMP_FRAME_BAD;
}

static void follow_string(struct rwy_qmp_frame *frame, char c)
{
	if (frame->escaped)
		frame->escaped = false;
	else if (c == '\\')
		frame->escaped = true;
	else if (c == '"')
		frame->in_string = false;
}

static enum rwy_qmp_frame_step follow_brackets(struct rwy_qmp_frame *frame, char c)
{
	switch (c) {
	case '"':
		frame->in_string = true;
		break;
	case '{':
	case '[':
		if (frame->depth == RWY_QMP_FRAME_DEPTH)
			return refuse(frame, c, "too many brackets in brackets");
		frame->depth++;
		break;
	case '}':
	case ']':
		if (--frame->depth == 0)
			return RWY_QMP_FRAME_DONE;
		break;
	}
	return RWY_QMP_FRAME_MORE;
}

enum rwy_qmp_frame_step rwy_qmp_frame_feed(struct rwy_qmp_frame *frame, char c)
{
	if (frame->skipping) {
		frame->skipping = c != '\n';
		return RWY_QMP_FRAME_MORE;
	}
	if (frame->depth == 0) {
		if (is_space(c))
			return RWY_QMP_FRAME_MORE;
		if (c != '{' && c != '[')
			return refuse(frame, c, "neither object nor array");
		frame->len = 0;
	}
	if (frame->in_string && is_control(c))
		return refuse(frame, c, "control character in a string");
	if (frame->len == RWY_QMP_FRAME_MAX)
		return refuse(frame, c, "too long");
	frame->text[frame->len++] = c;
	if (!frame->in_string)
		return follow_brackets(frame, c);
	follow_string(frame, c);
	return RWY_QMP_FRAME_MORE;
}
