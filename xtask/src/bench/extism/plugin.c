/* Measures what a call of a plugin costs a host in C, by Sandbar's library and by Extism's: `cargo xtask bench plugin` runs it.
 *
 *     plugin EXTISM_LIBRARY GUEST
 *
 * Rounds of the two alternate. Prints one JSON object a line: the name of a figure, its median and unit. */

#include <dlfcn.h>
#include <sandbar.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ROUNDS = 9, BIG = 65536 };

static void fail(const char *what) {
    fprintf(stderr, "%s\n", what);
    exit(1);
}

static void *symbol(void *library, const char *name) {
    void *found = dlsym(library, name);
    if (!found) fail(name);
    return found;
}

static double now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1e9 + now.tv_nsec;
}

/* Extism's, by its header of 1.41. */
static void *(*extism_new)(const uint8_t *, uint64_t, const void **, uint64_t, bool, char **);
static int32_t (*extism_call)(void *, const char *, const uint8_t *, uint64_t);
static uint64_t (*extism_length)(void *);
static const uint8_t *(*extism_data)(void *);
static void (*extism_free)(void *);

static uint8_t *guest;
static size_t guest_length;
static uint8_t input[BIG];
static uint8_t output[BIG + 1];

static sandbar_host *host;
static sandbar_terms *terms;
static sandbar_plugin *ours;
static void *theirs;

static void check(sandbar_status status, sandbar_error *error) {
    if (status != SANDBAR_DONE) fail(sandbar_error_message(error));
}

static sandbar_plugin *load_ours(void) {
    sandbar_plugin *plugin = NULL;
    sandbar_error *error = NULL;
    check(sandbar_plugin_load_bytes(host, guest, guest_length, terms, &plugin, &error), error);
    return plugin;
}

static void *load_theirs(void) {
    char *problem = NULL;
    void *plugin = extism_new(guest, guest_length, NULL, 0, true, &problem);
    if (!plugin) fail(problem);
    return plugin;
}

static void call_ours(const char *export, size_t length) {
    static sandbar_buffer answer = {output, 0, sizeof output, NULL};
    sandbar_error *error = NULL;
    check(sandbar_plugin_call(ours, export, input, length, NULL, &answer, &error), error);
    if (answer.length == 0) fail("no answer");
}

static void call_theirs(const char *export, size_t length) {
    if (extism_call(theirs, export, input, length) != 0) fail("extism failed");
    /* As ours does, it copies the answer to memory of the caller's. */
    uint64_t answer = extism_length(theirs);
    if (answer == 0 || answer > sizeof output) fail("no answer");
    memcpy(output, extism_data(theirs), answer);
}

static void small_ours(void) { call_ours("count_vowels", 11); }
static void small_theirs(void) { call_theirs("count_vowels", 11); }
static void echo_ours(void) { call_ours("echo", BIG); }
static void echo_theirs(void) { call_theirs("echo", BIG); }
static void create_ours(void) { sandbar_plugin_free(load_ours()); }
static void create_theirs(void) { extism_free(load_theirs()); }

static int ascending(const void *one, const void *other) {
    double difference = *(const double *)one - *(const double *)other;
    return (difference > 0) - (difference < 0);
}

static double each_ns(void (*does)(void), int count) {
    double start = now_ns();
    for (int at = 0; at < count; at++) does();
    return (now_ns() - start) / count;
}

static void compare(const char *name, void (*by_us)(void), void (*by_them)(void), int count) {
    double us[ROUNDS], them[ROUNDS];
    each_ns(by_us, count / 4 + 1);
    each_ns(by_them, count / 4 + 1);
    for (int round = 0; round < ROUNDS; round++) {
        us[round] = each_ns(by_us, count);
        them[round] = each_ns(by_them, count);
    }
    qsort(us, ROUNDS, sizeof *us, ascending);
    qsort(them, ROUNDS, sizeof *them, ascending);
    printf("{\"name\":\"c-%s\",\"median\":%.1f,\"unit\":\"ns\"}\n", name, us[ROUNDS / 2]);
    printf("{\"name\":\"c-%s-extism\",\"median\":%.1f,\"unit\":\"ns\"}\n", name, them[ROUNDS / 2]);
}

int main(int count, char **arguments) {
    if (count != 3) fail("expected EXTISM_LIBRARY GUEST");
    void *extism = dlopen(arguments[1], RTLD_NOW);
    if (!extism) fail(dlerror());
    extism_new = symbol(extism, "extism_plugin_new");
    extism_call = symbol(extism, "extism_plugin_call");
    extism_length = symbol(extism, "extism_plugin_output_length");
    extism_data = symbol(extism, "extism_plugin_output_data");
    extism_free = symbol(extism, "extism_plugin_free");

    FILE *file = fopen(arguments[2], "rb");
    if (!file) fail("the guest can't be read");
    guest = malloc(1 << 24);
    guest_length = fread(guest, 1, 1 << 24, file);
    fclose(file);
    for (int at = 0; at < BIG; at++) input[at] = "hello world, "[at % 13];

    sandbar_error *error = NULL;
    check(sandbar_host_new(NULL, &host, &error), error);
    check(sandbar_terms_new("{\"grants\": {\"random\": true}}", &terms, &error), error);
    ours = load_ours();
    theirs = load_theirs();
    compare("small", small_ours, small_theirs, 2000);
    compare("echo-64k", echo_ours, echo_theirs, 300);
    compare("create", create_ours, create_theirs, 30);
    /* What one plugin has, others of the same guest share. */
    sandbar_plugin_free(ours);
    compare("create-first", create_ours, create_theirs, 30);
    return 0;
}
