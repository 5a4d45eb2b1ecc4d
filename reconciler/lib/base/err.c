/* SPDX-License-Identifier: Apache-2.0 */
/* Errors: setting, wrapping, naming. */
#include "lib/base/err.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Ends a text that did not fit: the "…" says that there was more, and no character is left in halves. */
static void
cut(char *dst, size_t cap)
{
	size_t at = cap - 4;

	while (at > 0 && ((unsigned char)dst[at] & 0xc0) == 0x80)
		at--;
	memcpy(dst + at, "\xe2\x80\xa6", 4);
}

static void PRINTF(3, 0)
vput(char *dst, size_t cap, const char *fmt, va_list ap)
{
	int n = vsnprintf(dst, cap, fmt, ap);

	if (n < 0)
		dst[0] = '\0';
	else if ((size_t)n >= cap)
		cut(dst, cap);
}

int
err_set(struct err *e, int code, const char *fmt, ...)
{
	va_list ap;

	if (!e)
		return code;
	e->code = code;
	e->hint[0] = '\0';
	va_start(ap, fmt);
	vput(e->text, sizeof(e->text), fmt, ap);
	va_end(ap);
	return code;
}

int
err_wrap(struct err *e, const char *fmt, ...)
{
	char head[sizeof(e->text)], old[sizeof(e->text)];
	va_list ap;
	int n;

	if (!e || !e->code)
		return ERR_INTERNAL;
	memcpy(old, e->text, sizeof(old));
	va_start(ap, fmt);
	vput(head, sizeof(head), fmt, ap);
	va_end(ap);
	n = snprintf(e->text, sizeof(e->text), "%s: %s", head, old);
	if (n < 0 || (size_t)n >= sizeof(e->text))
		cut(e->text, sizeof(e->text));
	return e->code;
}

int
err_hint(struct err *e, const char *fmt, ...)
{
	va_list ap;

	if (!e)
		return ERR_INTERNAL;
	va_start(ap, fmt);
	vput(e->hint, sizeof(e->hint), fmt, ap);
	va_end(ap);
	return e->code;
}

static int
code_of_errno(int no)
{
	switch (no) {
	case ENOENT:
	case ENOTDIR:
		return ERR_NOTFOUND;
	case EACCES:
	case EPERM:
	case EROFS:
		return ERR_DENIED;
	default:
		return ERR_UNAVAILABLE;
	}
}

int
err_errno(struct err *e, const char *fmt, ...)
{
	char head[512];
	int no = errno;
	va_list ap;

	va_start(ap, fmt);
	vput(head, sizeof(head), fmt, ap);
	va_end(ap);
	return err_set(e, code_of_errno(no), "%s: %s", head, strerror(no));
}

bool
err_retryable(int code)
{
	return code == ERR_UNAVAILABLE || code == ERR_CONFLICT;
}

const char *
err_name(int code)
{
	static const char *const names[] = { "ok", "invalid", "not found", "conflict", "denied", "unavailable",
		"internal", "usage", "cancelled" };

	if (code > 0 || -code >= (int)(sizeof(names) / sizeof(names[0])))
		return "unknown";
	return names[-code];
}
