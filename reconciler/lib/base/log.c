/* SPDX-License-Identifier: Apache-2.0 */
/* Log lines. */
#include "lib/base/log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/redact.h"
#include "lib/base/str.h"

#define MESSAGE_MAX ((size_t)8192)
#define LINE_MAX_BYTES ((size_t)64 * 1024)

static enum log_level level_max = LOG_INFO;
static enum log_format format_now = LOG_TEXT;

static const char *const level_names[] = { "error", "warn", "info", "debug" };

void
log_setup(enum log_level level, enum log_format format)
{
	level_max = level;
	format_now = format;
}

int
log_level_parse(const char *s, enum log_level *out)
{
	for (size_t i = 0; i < sizeof(level_names) / sizeof(level_names[0]); i++) {
		if (str_eq(s, level_names[i])) {
			*out = (enum log_level)i;
			return 0;
		}
	}
	return ERR_INVALID;
}

/* One line stays one line, and what is not UTF-8 cannot reach the reader. */
static void
put_escaped(struct buf *out, const char *s, size_t n, bool quotes)
{
	bool valid = str_utf8_valid(s, n);

	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)s[i];

		if (c == '\n')
			buf_str(out, "\\n");
		else if (c == '\t')
			buf_str(out, quotes ? "\\t" : " ");
		else if (quotes && (c == '"' || c == '\\'))
			buf_printf(out, "\\%c", c);
		else
			buf_char(out, c >= 0x80 && !valid ? '?' : (char)c);
	}
}

static void
put_field(struct buf *out, const char *key, const char *value)
{
	struct buf AUTO_BUF clean = BUF_INIT(MESSAGE_MAX * 2);
	bool quotes = format_now == LOG_JSON || !*value || strpbrk(value, " \"\\=\n\t");

	redact(value, strlen(value), &clean);
	if (format_now == LOG_JSON)
		buf_printf(out, "%s\"%s\":", out->len > 1 ? "," : "", key);
	else
		buf_printf(out, " %s=", key);
	if (quotes)
		buf_char(out, '"');
	put_escaped(out, buf_cstr(&clean), clean.len, quotes);
	if (quotes)
		buf_char(out, '"');
}

static void
put_about(struct buf *out, const struct log_about *about)
{
	if (!about)
		return;
	if (about->run)
		put_field(out, "run", about->run);
	if (about->env)
		put_field(out, "env", about->env);
	if (about->stage)
		put_field(out, "stage", about->stage);
}

static void
write_line(const struct buf *line)
{
	/* one call, so that lines of several processes do not mix; a full disk behind stderr is not worth a retry */
	while (write(STDERR_FILENO, line->data, line->len) < 0 && errno == EINTR)
		;
}

static void
emit(enum log_level level, const struct log_about *about, const char *msg, const char *hint)
{
	struct buf AUTO_BUF line = BUF_INIT(LINE_MAX_BYTES), clean = BUF_INIT(MESSAGE_MAX * 2);
	char now[RFC3339_LEN];
	int saved = errno;

	clock_rfc3339(clock_now(), now);
	if (format_now == LOG_JSON) {
		buf_char(&line, '{');
		put_field(&line, "time", now);
		put_field(&line, "level", level_names[level]);
		put_about(&line, about);
		put_field(&line, "msg", msg);
		if (*hint)
			put_field(&line, "hint", hint);
		buf_str(&line, "}\n");
	} else {
		buf_printf(&line, "%s %s", now, level_names[level]);
		put_about(&line, about);
		buf_char(&line, ' ');
		redact(msg, strlen(msg), &clean);
		put_escaped(&line, buf_cstr(&clean), clean.len, false);
		if (*hint)
			put_field(&line, "hint", hint);
		buf_char(&line, '\n');
	}
	write_line(&line);
	errno = saved;
}

void
log_line(enum log_level level, const struct log_about *about, const char *fmt, ...)
{
	char msg[MESSAGE_MAX];
	va_list ap;
	int n;

	if (level > level_max)
		return;
	va_start(ap, fmt);
	n = vsnprintf(msg, sizeof(msg), fmt, ap);
	va_end(ap);
	if (n >= 0)
		emit(level, about, msg, "");
}

void
log_err(enum log_level level, const struct log_about *about, const struct err *e)
{
	if (level <= level_max)
		emit(level, about, e->text, e->hint);
}
