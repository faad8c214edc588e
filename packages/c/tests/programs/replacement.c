/* Replaces plugins while they are called, by bytes and by a file that changes: `replacement FOLDER MODE`. */
#include "check.h"
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

static const char *version(int number) {
    static char text[128];
    snprintf(text, sizeof text, "(module (func (export \"version\") (param i32) (result i32) i32.const %d))", number);
    return text;
}

static int asked(const sandbar_plugin *plugin) {
    sandbar_error *error = NULL;
    uint8_t memory[16];
    sandbar_buffer output = {.data = memory, .capacity = sizeof memory};
    ENDS(SANDBAR_DONE, error, call_json(plugin, "version", "[0]", NULL, &output, &error));
    return atoi((char *)output.data);
}

struct load {
    const sandbar_plugin *plugin;
    atomic_bool over;
    atomic_int calls;
};

/* A version never comes back once there was a later one. */
static void *call(void *given) {
    struct load *load = given;
    int last = 0;
    while (!atomic_load(&load->over)) {
        int number = asked(load->plugin);
        CHECK(number >= last);
        last = number;
        atomic_fetch_add(&load->calls, 1);
    }
    return NULL;
}

static void under_load(const sandbar_host *host, const char *options, int versions) {
    sandbar_error *error = NULL;
    sandbar_terms *terms = new_terms(options);
    sandbar_plugin *plugin = load(host, version(1), terms);
    sandbar_terms_free(terms);
    struct load load = {.plugin = plugin};
    pthread_t threads[2];
    for (int at = 0; at < 2; at++) CHECK(pthread_create(&threads[at], NULL, call, &load) == 0);
    for (int number = 2; number <= versions; number++) {
        const char *text = version(number);
        ENDS(SANDBAR_DONE, error, sandbar_plugin_replace_bytes(plugin, text, strlen(text), &error));
        FAILS(SANDBAR_LOAD, "", error, sandbar_plugin_replace_bytes(plugin, "no plugin", 9, &error));
        int before = atomic_load(&load.calls);
        while (atomic_load(&load.calls) < before + 3) usleep(100);
    }
    atomic_store(&load.over, true);
    for (int at = 0; at < 2; at++) CHECK(pthread_join(threads[at], NULL) == 0);
    CHECK(asked(plugin) == versions);
    CHECK(!sandbar_plugin_roll_back(plugin));
    sandbar_plugin_free(plugin);
}

static void probation(const sandbar_host *host) {
    sandbar_error *error = NULL;
    sandbar_terms *terms = new_terms("{\"probation\": {\"calls\": 10, \"failures\": 2}}");
    sandbar_plugin *plugin = load(host, version(1), terms);
    sandbar_terms_free(terms);
    const char *text = version(2);
    ENDS(SANDBAR_DONE, error, sandbar_plugin_replace_bytes(plugin, text, strlen(text), &error));
    CHECK(asked(plugin) == 2);
    CHECK(sandbar_plugin_roll_back(plugin) && asked(plugin) == 1);
    const char *broken = "(module (func (export \"version\") (param i32) (result i32) unreachable))";
    ENDS(SANDBAR_DONE, error, sandbar_plugin_replace_bytes(plugin, broken, strlen(broken), &error));
    for (int at = 0; at < 2; at++) {
        CHECK(call_json(plugin, "version", "[0]", NULL, NULL, NULL) == SANDBAR_TRAPPED);
    }
    CHECK(asked(plugin) == 1);
    sandbar_plugin_free(plugin);
}

struct told {
    atomic_int well, badly, freed;
};

static void tell(const sandbar_error *error, void *user_data) {
    struct told *told = user_data;
    atomic_fetch_add(error == NULL ? &told->well : &told->badly, 1);
    CHECK(error == NULL || sandbar_error_status(error) == SANDBAR_LOAD);
}

static void count_freed(void *user_data) {
    atomic_fetch_add(&((struct told *)user_data)->freed, 1);
}

static void write_file(const char *path, const char *text) {
    char aside[256];
    snprintf(aside, sizeof aside, "%s.new", path);
    FILE *file = fopen(aside, "w");
    CHECK(file != NULL && fputs(text, file) >= 0 && fclose(file) == 0 && rename(aside, path) == 0);
}

static void wait_for(atomic_int *count) {
    double began_s = now_s();
    while (atomic_load(count) == 0) {
        CHECK(now_s() - began_s < 60);
        usleep(10 * 1000);
    }
}

static void watched(const sandbar_host *host) {
    sandbar_error *error = NULL;
    sandbar_plugin *plugin = NULL;
    sandbar_watch *watch = NULL;
    struct told told = {0};
    char folder[] = "/tmp/sandbar-watched-XXXXXX", path[128];
    CHECK(mkdtemp(folder) != NULL);
    snprintf(path, sizeof path, "%s/plugin.wat", folder);
    write_file(path, version(1));
    ENDS(SANDBAR_DONE, error, sandbar_plugin_load_file(host, path, NULL, &plugin, &error));
    ENDS(SANDBAR_DONE, error, sandbar_plugin_watch(plugin, path, tell, &told, count_freed, &watch, &error));
    write_file(path, version(2222));
    wait_for(&told.well);
    CHECK(asked(plugin) == 2222 && told.badly == 0);
    write_file(path, "no plugin");
    wait_for(&told.badly);
    CHECK(asked(plugin) == 2222 && told.freed == 0);
    sandbar_watch_free(watch);
    CHECK(told.freed == 1);
    FAILS(SANDBAR_ARGUMENT, "`watch` is null", error,
          sandbar_plugin_watch(plugin, path, tell, &told, count_freed, NULL, &error));
    CHECK(told.freed == 2);
    sandbar_plugin_free(plugin);
    CHECK(remove(path) == 0 && rmdir(folder) == 0);
}

int main(int arguments_count, char **argument) {
    CHECK(arguments_count == 3);
    int versions = strcmp(argument[2], "plain") == 0 ? 100 : 10;
    sandbar_host *host = new_host();
    under_load(host, "{}", versions);
    under_load(host, "{\"sandbox\": \"fresh\", \"sandboxes_max\": 1}", versions);
    probation(host);
    watched(host);
    sandbar_host_free(host);
    return 0;
}
