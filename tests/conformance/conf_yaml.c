/* SPDX-License-Identifier: Apache-2.0 */
/* yaml-test-suite and bad-yaml: every case as the suite says, or refused by a rule of ours that is listed here. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/doc/json.h"
#include "lib/doc/yaml.h"

static const char *vectors;
static unsigned int number, failures;

static int
load(struct arena *mem, const char *path, const char **bytes, size_t *len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	char *p;

	if (fd < 0 || fstat(fd, &st) < 0 || st.st_size > (64 << 20)) {
		if (fd >= 0)
			(void)close(fd);
		return -1;
	}
	p = arena_alloc(mem, (size_t)st.st_size + 1);
	*len = 0;
	for (ssize_t n; *len < (size_t)st.st_size; *len += (size_t)n)
		if ((n = read(fd, p + *len, (size_t)st.st_size - *len)) <= 0)
			break;
	(void)close(fd);
	*bytes = p;
	return 0;
}

static struct value *
load_json(struct arena *mem, const char *path)
{
	struct value *v = NULL;
	const char *bytes;
	struct err e;
	size_t len;

	if (load(mem, path, &bytes, &len) < 0)
		return NULL;
	if (!len) /* a stream without documents */
		return value_null(mem);
	if (json_read(mem, bytes, len, &v, &e) < 0) {
		printf("# %s: %s\n", path, e.text);
		return NULL;
	}
	return v;
}

static void
result(bool ok, const char *suite, const char *name, const char *say)
{
	printf("%sok %u - %s %s%s%s\n", ok ? "" : "not ", ++number, suite, name, *say ? ": " : "", say);
	failures += !ok;
}

/* The rules by which valid YAML is refused; the first that fits a case's first error explains it. */
enum { RULE_OWN = 0, RULE_LIBYAML = 1 };

static struct rule {
	enum finding_code code;
	const char *message, *name;
	int only; /* RULE_LIBYAML: counts only where libyaml 0.2.5 is known to refuse or misread the case */
	unsigned int cases;
} rules[] = {
	{ FINDING_YAML_REFUSED, "anchors", "anchors are refused", RULE_OWN, 0 },
	{ FINDING_YAML_REFUSED, "aliases", "aliases are refused", RULE_OWN, 0 },
	{ FINDING_YAML_REFUSED, "tags", "tags are refused", RULE_OWN, 0 },
	{ FINDING_YAML_REFUSED, "%TAG", "%TAG directives are refused", RULE_OWN, 0 },
	{ FINDING_YAML_REFUSED, "more than one document", "one document a file", RULE_OWN, 0 },
	{ FINDING_YAML_REFUSED, "a map or list as a key", "keys are strings (map or list)", RULE_OWN, 0 },
	{ FINDING_YAML_REFUSED, "key that is not a string", "keys are strings (number, boolean, null)", RULE_OWN, 0 },
	{ FINDING_YAML_REFUSED, "empty key", "keys are strings (empty)", RULE_OWN, 0 },
	{ FINDING_YAML_REFUSED, "merge keys", "merge keys are refused", RULE_OWN, 0 },
	{ FINDING_YAML_DUPLICATE, "", "duplicate keys are refused", RULE_OWN, 0 },
	{ FINDING_YAML_CHARACTER, "", "characters that are not allowed", RULE_OWN, 0 },
	{ FINDING_YAML_NUMBER, "", "numbers that cannot be kept", RULE_OWN, 0 },
	{ FINDING_YAML_SYNTAX, "tab used as indentation", "tabs do not indent", RULE_OWN, 0 },
	{ FINDING_YAML_SYNTAX, "", "libyaml 0.2.5 cannot read it", RULE_LIBYAML, 0 },
};

static const struct finding *
first_error(const struct report *r)
{
	for (size_t i = 0; i < r->n; i++)
		if (r->items[i].severity == SEVERITY_ERROR)
			return &r->items[i];
	return NULL;
}

static struct rule *
explain(const struct report *r, const char *libyaml)
{
	bool known = strcmp(libyaml, "rejects-valid") == 0 || strcmp(libyaml, "wrong-events") == 0;

	const struct finding *f = first_error(r);

	for (size_t i = 0; f && i < sizeof(rules) / sizeof(rules[0]); i++)
		if (rules[i].code == f->code && strncmp(f->message, rules[i].message, strlen(rules[i].message)) == 0 &&
		    (rules[i].only == RULE_OWN || known))
			return &rules[i];
	return NULL;
}

static struct { unsigned int values, no_value, refused_invalid, refused_rule, unexplained; } suite;

static void
run_case(const struct value *c)
{
	struct arena *mem AUTO_ARENA = arena_new((size_t)64 << 20);
	const char *id = value_as_str(value_get(c, "id"), "?"), *libyaml = value_as_str(value_get(c, "libyaml_0_2_5"), "");
	bool error = value_as_bool(value_get(c, "error"), false), ok = false;
	char *dir = arena_printf(mem, "%s/yaml-test-suite/data/%s", vectors, id), say[256] = "";
	struct value *v = NULL, *want;
	struct report r;
	const struct finding *f;
	struct rule *rule;
	const char *bytes;
	size_t len;
	int rc;

	report_init(&r, mem);
	if (load(mem, arena_printf(mem, "%s/in.yaml", dir), &bytes, &len) < 0) {
		result(false, "yaml-test-suite", id, "no in.yaml");
		return;
	}
	rc = yaml_read(mem, "in.yaml", bytes, len, NULL, &r, &v);
	report_sort(&r);
	f = first_error(&r);
	if (f)
		(void)snprintf(say, sizeof(say), "refused: %u:%u %s", f->at.line, f->at.col, f->message);
	if (error && rc < 0 && r.errors) {
		ok = true;
		suite.refused_invalid++;
	} else if (error) {
		(void)snprintf(say, sizeof(say), "accepted, and is not YAML");
	} else if (rc < 0) {
		if ((rule = explain(&r, libyaml))) {
			rule->cases++;
			suite.refused_rule++;
			ok = true;
		}
	} else if (!value_as_bool(value_get(c, "json"), false)) {
		ok = true;
		suite.no_value++;
	} else if ((want = load_json(mem, arena_printf(mem, "%s/in.json", dir))) && value_equal(v, want)) {
		ok = true;
		suite.values++;
	} else {
		(void)snprintf(say, sizeof(say), "another value than in.json");
	}
	suite.unexplained += !ok;
	result(ok, "yaml-test-suite", id, say);
}

static void
run_suite(void)
{
	struct arena *mem AUTO_ARENA = arena_new((size_t)64 << 20);
	struct value *cases = value_get(load_json(mem, arena_printf(mem, "%s/yaml-test-suite/index.json", vectors)), "cases");

	if (!value_len(cases)) {
		result(false, "yaml-test-suite", "index.json", "no cases");
		return;
	}
	for (size_t i = 0; i < value_len(cases); i++)
		run_case(value_item(cases, i));
	printf("# read with the value of in.json: %u; read, the suite gives no value: %u\n", suite.values, suite.no_value);
	printf("# refused as the suite says: %u; refused by a rule of berth: %u, of these\n", suite.refused_invalid, suite.refused_rule);
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
		if (rules[i].cases)
			printf("#   %3u %s\n", rules[i].cases, rules[i].name);
	printf("# yaml-test-suite: %zu cases, %u unexplained\n", value_len(cases), suite.unexplained);
}

static double
seconds(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static bool
may(const struct value *c, const char *what)
{
	const struct value *outcomes = value_get(c, "outcomes");

	for (size_t i = 0; i < value_len(outcomes); i++)
		if (strcmp(value_as_str(value_item(outcomes, i), ""), what) == 0)
			return true;
	return false;
}

static double slowest;
static unsigned int bad_wrong;

static void
run_bad(const struct value *c)
{
	struct arena *mem AUTO_ARENA = arena_new((size_t)64 << 20);
	const char *file = value_as_str(value_get(c, "file"), "?"), *strict = value_as_str(value_get(c, "strict"), "");
	const char *category = value_as_str(value_get(c, "category"), ""), *bytes, *outcome;
	bool ok, any_root = strcmp(category, "tabs") == 0 || strcmp(category, "syntax") == 0 || strcmp(category, "depth") == 0;
	struct value *v = NULL, *want = value_get(c, "value");
	const struct finding *f;
	struct report r;
	char say[200];
	double took;
	size_t len;
	int rc;

	report_init(&r, mem);
	if (load(mem, arena_printf(mem, "%s/bad-yaml/%s", vectors, file), &bytes, &len) < 0) {
		result(false, "bad-yaml", file, "cannot be read");
		bad_wrong++;
		return;
	}
	took = seconds();
	rc = yaml_read(mem, file, bytes, len, NULL, &r, &v);
	took = seconds() - took;
	f = first_error(&r);
	if (took > slowest)
		slowest = took;
	/* the profile of the suite: a document is a map; our reader leaves that to the kind (E109) */
	if (rc == 0 && !any_root && !value_is(v, VALUE_MAP) && !value_is(want, VALUE_LIST))
		rc = ERR_INVALID;
	else if (rc < 0 && (!f || !f->at.line))
		rc = 1; /* an error without a place fits no verdict */
	outcome = rc < 0 ? "reject" : rc == 0 && (!want || value_equal(v, want)) ? "value" : "wrong";
	ok = strcmp(strict, "accept") == 0 ? !strcmp(outcome, "value") : strcmp(strict, "reject") == 0 ? !strcmp(outcome, "reject") : may(c, outcome);
	bad_wrong += !ok;
	(void)snprintf(say, sizeof(say), "%s, %.1f ms%s%.100s", outcome, took * 1e3, f ? ", " : "", f ? f->message : "");
	result(ok, "bad-yaml", file, say);
}

static void
run_bad_yaml(void)
{
	struct arena *mem AUTO_ARENA = arena_new((size_t)64 << 20);
	struct value *cases = value_get(load_json(mem, arena_printf(mem, "%s/bad-yaml/index.json", vectors)), "cases");

	if (!value_len(cases))
		result(false, "bad-yaml", "index.json", "no cases");
	for (size_t i = 0; i < value_len(cases); i++)
		run_bad(value_item(cases, i));
	printf("# bad-yaml: %zu cases, %u unexplained, slowest %.1f ms\n", value_len(cases), bad_wrong, slowest * 1e3);
}

int
main(void)
{
	vectors = getenv("BERTH_VECTORS");
	if (!vectors || !*vectors) {
		puts("ok 1 - yaml # SKIP BERTH_VECTORS is not set\n1..1");
		return 0;
	}
	run_suite();
	run_bad_yaml();
	printf("1..%u\n", number);
	return failures ? 1 : 0;
}
