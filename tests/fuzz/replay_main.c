/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 *
 * Runs a fuzz target where libFuzzer is not at hand: every file of a corpus as it is, then seeded
 * mutations of them. The same seed makes the same inputs. An input that ends the program is left
 * in the file crash-input.
 *
 *     fuzz_x [-s seed] [-n mutations] [-m max bytes] [file or folder] ...
 */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lab_base.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv) __attribute__((weak));
void __sanitizer_set_death_callback(void (*fn)(void)) __attribute__((weak));

struct input {
	uint8_t *data;
	size_t size;
};

struct corpus {
	struct input *inputs;
	size_t nr;
};

static struct input current; /* for the handler of a crash, which can be told nothing */

static void *
must(void *p)
{
	if (p == NULL) {
		perror("replay");
		exit(2);
	}
	return p;
}

static void
save_current(void)
{
	static const char note[] = "the input is in crash-input\n";
	int fd = open("crash-input", O_WRONLY | O_CREAT | O_TRUNC, 0644);

	if (fd >= 0 && write(fd, current.data, current.size) == (ssize_t)current.size &&
		write(STDERR_FILENO, note, sizeof(note) - 1) > 0)
		close(fd);
}

static void
on_crash(int sig)
{
	save_current();
	signal(sig, SIG_DFL);
	raise(sig);
}

static void
catch_crashes(void)
{
	static const int signals[] = {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGALRM};

	if (__sanitizer_set_death_callback != NULL)
		__sanitizer_set_death_callback(save_current);
	for (size_t i = 0; i < LAB_ARRAY_SIZE(signals); i++)
		signal(signals[i], on_crash);
}

/** Each input in its own allocation of its exact size, so that a sanitizer sees its ends. */
static void
run(const uint8_t *data, size_t size)
{
	current.data = must(malloc(size ? size : 1));
	current.size = size;
	if (size > 0)
		memcpy(current.data, data, size);
	alarm(60); /* an endless loop is a finding too */
	LLVMFuzzerTestOneInput(current.data, size);
	alarm(0);
	free(current.data);
}

/* ----------------------------------------------------------------- corpus */

static void
add_file(struct corpus *c, const char *path, off_t size)
{
	FILE *f = must(fopen(path, "rb"));
	struct input *in;

	c->inputs = must(realloc(c->inputs, (c->nr + 1) * sizeof(*c->inputs)));
	in = &c->inputs[c->nr++];
	in->data = must(malloc(size ? size : 1));
	in->size = fread(in->data, 1, size, f);
	fclose(f);
}

static void add_path(struct corpus *c, const char *path);

/** In the order of the names: the seed's mutations must not depend on the file system. */
static void
add_folder(struct corpus *c, const char *path)
{
	struct dirent **names = NULL;
	int n = scandir(path, &names, NULL, alphasort);

	for (int i = 0; i < n; i++) {
		char *file = NULL;

		if (names[i]->d_name[0] != '.' &&
			asprintf(&file, "%s/%s", path, names[i]->d_name) > 0)
			add_path(c, file);
		free(file);
		free(names[i]);
	}
	free(names);
}

static void
add_path(struct corpus *c, const char *path)
{
	struct stat st;

	if (stat(path, &st) != 0) {
		perror(path);
		exit(2);
	}
	if (S_ISDIR(st.st_mode))
		add_folder(c, path);
	else
		add_file(c, path, st.st_size);
}

/* -------------------------------------------------------------- mutations */

struct mutant {
	struct lab_rng rng;
	uint8_t *data;
	size_t size, max;
};

static void
insert_bytes(struct mutant *m, const uint8_t *bytes, size_t n)
{
	size_t at = lab_rng_below(&m->rng, m->size + 1);

	if (n > m->max - m->size)
		n = m->max - m->size;
	memmove(m->data + at + n, m->data + at, m->size - at);
	memmove(m->data + at, bytes, n);
	m->size += n;
}

static void
insert_random(struct mutant *m)
{
	uint8_t bytes[8];
	size_t n = 1 + lab_rng_below(&m->rng, sizeof(bytes));

	for (size_t i = 0; i < n; i++)
		bytes[i] = (uint8_t)lab_rng_u64(&m->rng);
	insert_bytes(m, bytes, n);
}

static void
insert_number(struct mutant *m)
{
	static const char *const numbers[] = {"0", "-1", "1", "255", "65536", "2147483647",
		"2147483648", "4294967295", "4294967296", "9223372036854775807",
		"18446744073709551615", "18446744073709551616", "0x", "1e308", "nan", "."};
	const char *s = numbers[lab_rng_below(&m->rng, LAB_ARRAY_SIZE(numbers))];

	insert_bytes(m, (const uint8_t *)s, strlen(s));
}

static void
delete_bytes(struct mutant *m)
{
	size_t at = lab_rng_below(&m->rng, m->size), n;

	if (m->size == 0)
		return;
	n = 1 + lab_rng_below(&m->rng, m->size - at);
	memmove(m->data + at, m->data + at + n, m->size - at - n);
	m->size -= n;
}

static void
change_byte(struct mutant *m)
{
	static const uint8_t odd[] = {0, 1, 0x7f, 0x80, 0xff, '\n', ' ', '|', '=', ',', ':', '"'};
	uint8_t *b = &m->data[lab_rng_below(&m->rng, m->size)];

	if (m->size == 0)
		return;
	if (lab_rng_below(&m->rng, 2))
		*b ^= 1U << lab_rng_below(&m->rng, 8);
	else
		*b = odd[lab_rng_below(&m->rng, sizeof(odd))];
}

/** A piece of another input, or of this one, at some place. */
static void
cross(struct mutant *m, const struct input *other)
{
	size_t at = lab_rng_below(&m->rng, other->size);

	if (other->size > 0)
		insert_bytes(m, other->data + at, 1 + lab_rng_below(&m->rng, other->size - at));
}

static const struct input *
pick(const struct corpus *c, struct lab_rng *rng)
{
	static uint8_t nothing;
	static const struct input empty = {&nothing, 0};

	return c->nr > 0 ? &c->inputs[lab_rng_below(rng, c->nr)] : &empty;
}

static void
mutate(struct mutant *m, const struct corpus *c)
{
	const struct input *from = pick(c, &m->rng);
	unsigned int edits = 1 + lab_rng_below(&m->rng, 8);

	m->size = from->size < m->max ? from->size : m->max;
	memcpy(m->data, from->data, m->size);
	while (edits-- > 0) {
		switch (lab_rng_below(&m->rng, 6)) {
		case 0:
			insert_random(m);
			break;
		case 1:
			insert_number(m);
			break;
		case 2:
			delete_bytes(m);
			break;
		case 3:
			cross(m, pick(c, &m->rng));
			break;
		default:
			change_byte(m);
		}
	}
}

int
main(int argc, char **argv)
{
	unsigned long mutations = 2000, seed = 1;
	struct mutant m = {.max = 4096};
	struct corpus c = {0};
	int opt;

	while ((opt = getopt(argc, argv, "s:n:m:")) != -1) {
		if (opt == 's')
			seed = strtoul(optarg, NULL, 0);
		else if (opt == 'n')
			mutations = strtoul(optarg, NULL, 0);
		else if (opt == 'm')
			m.max = strtoul(optarg, NULL, 0);
		else
			return 2;
	}
	for (int i = optind; i < argc; i++)
		add_path(&c, argv[i]);
	if (LLVMFuzzerInitialize != NULL)
		LLVMFuzzerInitialize(&argc, &argv);

	catch_crashes();
	run(NULL, 0);
	for (size_t i = 0; i < c.nr; i++)
		run(c.inputs[i].data, c.inputs[i].size);
	m.data = must(malloc(m.max + 1));
	lab_rng_seed(&m.rng, seed);
	for (unsigned long i = 0; i < mutations; i++) {
		mutate(&m, &c);
		run(m.data, m.size);
	}
	printf("%zu corpus files, %lu mutations of seed %lu\n", c.nr, mutations, seed);

	for (size_t i = 0; i < c.nr; i++)
		free(c.inputs[i].data);
	free(c.inputs);
	free(m.data);
	return 0;
}
