/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Specs of about 460 bytes in memory: read, schema and rules, beside a pass of libyaml's events over the same bytes in the same
 * process; then all of that and the rendering, to the digest of each set of objects. Usage: bench_validate [SPECS…] (default 10000 100000)
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <yaml.h>

#include "bench/bench.h"
#include "lib/base/share.h"
#include "lib/base/str.h"
#include "world.h"

#define TEMPLATE "envs-repo-template/"
#define PER_OWNER 50
#define ROUNDS 5
#define ROUNDS_LARGE 3 /* from 50,000 specs on */

struct spec {
	const char *text;
	size_t len;
};

struct set {
	struct arena *mem;
	struct file_entry *entries;
	struct spec *texts; /* of each entry */
	struct files files;
	size_t specs, owners, bytes; /* bytes: of the specs alone */
	size_t findings, seen;
};

static int
read_entry(void *ctx, const struct file_entry *f, size_t max, struct arena *mem, const char **bytes, size_t *len, struct err *er)
{
	const struct set *s = ctx;
	const struct spec *t = &s->texts[f - s->entries];

	(void)max;
	(void)er;
	*bytes = arena_strndup(mem, t->text, t->len);
	*len = t->len;
	return 0;
}

/* -- the specs -------------------------------------------------------------------------------------------------------- */

static const char *
spec_text(struct arena *mem, size_t i)
{
	static const char *const flavors[] = { "gpu-small", "cpu-small", "gpu-large" };
	static const char *const images[] = { "pytorch", "scipy", "ubuntu:24.04" };

	return arena_printf(mem,
	                    "# %zu\napiVersion: berth.dev/v1\nkind: Environment\nmetadata:\n  labels: {project: p%zu}\nspec:\n"
	                    "  flavor: %s\n  image: %s\n  resources:\n    cpu: %zu\n    memory: %zuGi\n  persistentHomeSize: %zuGi\n"
	                    "  volumes:\n    - {name: workspace, size: %zuGi, class: shared-fs, access: RWX, path: /workspace}\n"
	                    "  env:\n    WANDB_PROJECT: p%zu\n    RUN_NAME: \"run-%zu\"\n  access:\n    web: [jupyter, terminal]\n    share: [u%zu]\n"
	                    "  lifecycle:\n    idleTimeout: %zu\n    autoShutdown: true\n",
	                    i, i % 97, flavors[i % 3], images[i % 3], 1 + i % 4, 4 + i % 8, 20 + i % 100, 100 + i % 900, i % 97, i, i % 7,
	                    1800 + i % 3600);
}

static void
add(struct set *s, const char *path, const char *text, size_t len)
{
	s->entries[s->files.n] = (struct file_entry){ .path = path, .mode = FILE_REGULAR };
	s->texts[s->files.n++] = (struct spec){ text, len };
}

static void
add_text(struct set *s, const char *path, const char *text)
{
	add(s, path, text, strlen(text));
}

static void
add_template(struct set *s, const char *folder)
{
	const struct share_file *f;
	size_t n;

	must(share_files(&f, &n, &e), "the template");
	for (size_t i = 0; i < n; i++)
		if (str_starts(f[i].path, TEMPLATE) && str_starts(f[i].path + strlen(TEMPLATE), folder))
			add(s, f[i].path + strlen(TEMPLATE), f[i].bytes, f[i].len);
}

/* In order of paths. */
static void
set_make(struct set *s, size_t specs)
{
	size_t owners = (specs + PER_OWNER - 1) / PER_OWNER;

	owners = owners < 7 ? 7 : owners; /* users that are shared with */
	memset(s, 0, sizeof(*s));
	s->mem = arena_new((size_t)8 << 30);
	s->entries = arena_array(s->mem, specs + owners + 64, sizeof(*s->entries));
	s->texts = arena_array(s->mem, specs + owners + 64, sizeof(*s->texts));
	s->files = (struct files){ .entries = s->entries, .ctx = s, .read = read_entry };
	s->owners = owners;
	s->specs = specs;
	add_template(s, "berth.yaml");
	add_template(s, "datasets/");
	for (size_t i = 0; i < specs; i++) {
		const char *text = spec_text(s->mem, i);

		add_text(s, arena_printf(s->mem, "envs/u%zu/e%zu.yaml", i / PER_OWNER, i % PER_OWNER), text);
		s->bytes += strlen(text);
	}
	add_template(s, "flavors/");
	add_template(s, "images/");
	add_template(s, "teams/");
	for (size_t i = 0; i < owners; i++)
		add_text(s, arena_printf(s->mem, "users/u%zu.yaml", i),
		         arena_printf(s->mem, "apiVersion: berth.dev/v1\nkind: User\nspec: {uid: \"u%zu\", email: u%zu@example.com, role: admin, "
		                              "teams: [vision]}\n", i, i));
}

static int
by_path(const void *a, const void *b)
{
	return strcmp(((const struct file_entry *)a)->path, ((const struct file_entry *)b)->path);
}

/* Entries and texts are two arrays: the order is found on one and carried over to both. */
static void
set_sort(struct set *s)
{
	struct file_entry *old = arena_array(s->mem, s->files.n, sizeof(*old));
	struct spec *texts = arena_array(s->mem, s->files.n, sizeof(*texts));

	for (size_t i = 0; i < s->files.n; i++) {
		old[i] = s->entries[i];
		old[i].mode = (uint32_t)i;
	}
	qsort(old, s->files.n, sizeof(*old), by_path);
	for (size_t i = 0; i < s->files.n; i++) {
		texts[i] = s->texts[old[i].mode];
		s->entries[i] = (struct file_entry){ .path = old[i].path, .mode = FILE_REGULAR };
	}
	s->texts = texts;
}

/* -- the passes ------------------------------------------------------------------------------------------------------- */

static void
events(const struct spec *t)
{
	yaml_parser_t p;
	bool end = false;

	if (!yaml_parser_initialize(&p))
		abort();
	yaml_parser_set_input_string(&p, (const unsigned char *)t->text, t->len);
	while (!end) {
		yaml_event_t ev;

		if (!yaml_parser_parse(&p, &ev))
			abort();
		end = ev.type == YAML_STREAM_END_EVENT;
		yaml_event_delete(&ev);
	}
	yaml_parser_delete(&p);
}

static int
visit(void *ctx, const struct env_result *r, struct err *er)
{
	struct set *s = ctx;

	(void)er;
	s->seen++;
	s->findings += r->findings.n + !r->ok;
	if (!r->ok && r->findings.n)
		(void)fprintf(stderr, "%s: %s\n", r->path, r->findings.items[0].message);
	return 0;
}

/*
 * Owner by owner, first the events of the owner's specs and then the checks, so that whatever else the machine does meets both.
 * Seconds of processor time.
 */
static void
pass(struct set *s, struct world *w, double *floor, double *ours, double *rendered)
{
	*floor = *ours = *rendered = 0;
	s->seen = s->findings = 0;
	for (size_t i = 0; i < s->owners; i++) {
		struct arena *AUTO_ARENA mem = arena_new((size_t)128 << 20);
		char owner[32], prefix[64];
		const struct file_entry *f;
		struct owner_result o;
		double begin;
		size_t n;

		(void)snprintf(owner, sizeof(owner), "u%zu", i);
		(void)snprintf(prefix, sizeof(prefix), "envs/%s/", owner);
		f = files_under(&s->files, prefix, &n);
		begin = seconds(CLOCK_PROCESS_CPUTIME_ID);
		for (size_t k = 0; k < n; k++)
			events(&s->texts[f - s->entries + (ptrdiff_t)k]);
		*floor += seconds(CLOCK_PROCESS_CPUTIME_ID) - begin;
		begin = seconds(CLOCK_PROCESS_CPUTIME_ID);
		must(world_owner(w, mem, owner, false, visit, s, &o, &e), owner);
		*ours += seconds(CLOCK_PROCESS_CPUTIME_ID) - begin;
		begin = seconds(CLOCK_PROCESS_CPUTIME_ID);
		must(world_owner(w, mem, owner, true, NULL, NULL, &o, &e), owner);
		*rendered += seconds(CLOCK_PROCESS_CPUTIME_ID) - begin;
	}
}

static int
by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

/* Seconds a spec, of ours and of the events alone, by the median round. */
static double
measure(size_t specs, double *events_alone)
{
	double floor[ROUNDS], ours[ROUNDS], rendered[ROUNDS], begin, adopt;
	int rounds = specs < 50000 ? ROUNDS : ROUNDS_LARGE;
	struct rusage u;
	struct world *w;
	struct set s;

	set_make(&s, specs);
	set_sort(&s);
	must(world_new(&w, &e), "world");
	begin = seconds(CLOCK_PROCESS_CPUTIME_ID);
	must(world_adopt(w, &s.files, NULL, 0, true, &e), "adopt");
	adopt = seconds(CLOCK_PROCESS_CPUTIME_ID) - begin;
	for (int i = 0; i < rounds; i++)
		pass(&s, w, &floor[i], &ours[i], &rendered[i]);
	if (s.seen != specs || s.findings || !world_usable(w)) {
		(void)fprintf(stderr, "%zu of %zu specs seen, %zu findings\n", s.seen, specs, s.findings);
		exit(1);
	}
	qsort(floor, (size_t)rounds, sizeof(double), by_value);
	qsort(ours, (size_t)rounds, sizeof(double), by_value);
	qsort(rendered, (size_t)rounds, sizeof(double), by_value);
	(void)getrusage(RUSAGE_SELF, &u);
	(void)printf("%zu specs of %zu bytes\n", specs, s.bytes / specs);
	(void)printf("  libyaml's events alone       %8.3f s   %7.2f us a spec\n", floor[rounds / 2], floor[rounds / 2] / (double)specs * 1e6);
	(void)printf("  read, schema and rules       %8.3f s   %7.2f us a spec   ratio %.2f\n", ours[rounds / 2],
	             ours[rounds / 2] / (double)specs * 1e6, ours[rounds / 2] / floor[rounds / 2]);
	(void)printf("  and rendering                %8.3f s   %7.2f us a spec   of at most 200 us %.2f\n", rendered[rounds / 2],
	             rendered[rounds / 2] / (double)specs * 1e6, rendered[rounds / 2] / (double)specs * 1e6 / 200);
	(void)printf("  shared documents, %zu users %8.3f s\n  peak memory                  %8.1f MiB, %.1f of it the specs\n", s.owners, adopt,
	             (double)u.ru_maxrss / 1024, (double)s.bytes / 1048576);
	world_free(w);
	arena_free(s.mem);
	*events_alone = floor[rounds / 2] / (double)specs;
	return ours[rounds / 2] / (double)specs;
}

int
main(int argc, char **argv)
{
	static const int64_t usual[] = { 10000, 100000 };
	double first = 0, last = 0, first_events = 0, events_alone = 0;
	int n = argc > 1 ? argc - 1 : 2;

	for (int i = 0; i < n; i++) {
		int64_t specs = usual[i % 2];

		if (argc > 1 && (str_to_i64(argv[i + 1], &specs) < 0 || specs < 1 || specs > 10000000)) {
			(void)fprintf(stderr, "usage: bench_validate [SPECS...]\n");
			return 2;
		}
		last = measure((size_t)specs, &events_alone);
		first = first > 0 ? first : last;
		first_events = first_events > 0 ? first_events : events_alone;
	}
	if (n > 1)
		(void)printf("a spec of the last beside a spec of the first: %.2f (of the events alone: %.2f)\n", last / first,
		             events_alone / first_events);
	return 0;
}
