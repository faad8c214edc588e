/* What the programs of these tests share. */
#include <sandbar.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Ends the program where something is not so. */
#define CHECK(what)                                                        \
    do {                                                                   \
        if (!(what)) {                                                     \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #what); \
            exit(1);                                                       \
        }                                                                  \
    } while (0)

/* Ends the program where a call of the library did not end as it has to. It frees the error. */
#define ENDS(expected, error, call)                                                                                     \
    do {                                                                                                                \
        sandbar_status status_ = (call);                                                                                \
        if (status_ != (expected) || (status_ == SANDBAR_DONE) != ((error) == NULL) || sandbar_error_status(error) !=   \
            ((error) == NULL ? SANDBAR_ARGUMENT : status_)) {                                                           \
            fprintf(stderr, "%s:%d: %s: %s: %s\n", __FILE__, __LINE__, #call, sandbar_status_name(status_),             \
                    sandbar_error_message(error));                                                                      \
            exit(1);                                                                                                    \
        }                                                                                                               \
        sandbar_error_free(error);                                                                                      \
        (error) = NULL;                                                                                                 \
    } while (0)

/* As above, where the message has to hold a text. */
#define FAILS(expected, text, error, call)                                                                            \
    do {                                                                                                              \
        sandbar_status status_ = (call);                                                                              \
        if (status_ != (expected) || strstr(sandbar_error_message(error), text) == NULL) {                            \
            fprintf(stderr, "%s:%d: %s: %s: %s\n", __FILE__, __LINE__, #call, sandbar_status_name(status_),           \
                    sandbar_error_message(error));                                                                    \
            exit(1);                                                                                                  \
        }                                                                                                             \
        sandbar_error_free(error);                                                                                    \
        (error) = NULL;                                                                                               \
    } while (0)

/* Few sandboxes: each takes 8 GiB of address space, of which valgrind has little. */
#define HOST_OPTIONS "{\"cache\": false, \"sandboxes_max\": 4}"

static inline sandbar_host *new_host(void) {
    sandbar_error *error = NULL;
    sandbar_host *host = NULL;
    ENDS(SANDBAR_DONE, error, sandbar_host_new(HOST_OPTIONS, &host, &error));
    return host;
}

/* Loads a plugin from text. */
static inline sandbar_plugin *load(const sandbar_host *host, const char *text, const sandbar_terms *terms) {
    sandbar_error *error = NULL;
    sandbar_plugin *plugin = NULL;
    ENDS(SANDBAR_DONE, error, sandbar_plugin_load_bytes(host, text, strlen(text), terms, &plugin, &error));
    return plugin;
}

static inline sandbar_terms *new_terms(const char *options) {
    sandbar_error *error = NULL;
    sandbar_terms *terms = NULL;
    ENDS(SANDBAR_DONE, error, sandbar_terms_new(options, &terms, &error));
    return terms;
}

/* Calls a typed function with JSON. */
static inline sandbar_status call_json(const sandbar_plugin *plugin, const char *name, const char *arguments,
                                       const sandbar_call_options *options, sandbar_buffer *output,
                                       sandbar_error **error) {
    return sandbar_plugin_call_json(plugin, name, arguments, strlen(arguments), options, output, error);
}

static inline double now_s(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}
