/* Calls, buffers, receipts and errors: `calls FOLDER MODE`, the folder of the quickstart's plugins, and how it runs. */
#include "check.h"

static sandbar_plugin *load_file(const sandbar_host *host, const char *folder, const char *name) {
    sandbar_error *error = NULL;
    sandbar_plugin *plugin = NULL;
    char path[1024];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    ENDS(SANDBAR_DONE, error, sandbar_plugin_load_file(host, path, NULL, &plugin, &error));
    return plugin;
}

static const char USERS[] = "{\"users\": [{\"name\": \"Ada\", \"age\": 36}, {\"name\": \"Tim\", \"age\": 19}]}";
static const char ADULTS[] = "{\"filtered_users\":[{\"name\":\"Ada\",\"age\":36}],\"processed_count\":2}";

static bool is(const sandbar_buffer *buffer, const char *text) {
    return buffer->length == strlen(text) && strcmp((const char *)buffer->data, text) == 0;
}

static void bytes_and_buffers(const sandbar_plugin *users) {
    sandbar_error *error = NULL;
    sandbar_buffer output = {0};
    for (int at = 0; at < 3; at++) {
        ENDS(SANDBAR_DONE, error,
             sandbar_plugin_call(users, "transform_data", USERS, sizeof USERS - 1, NULL, &output, &error));
        CHECK(is(&output, ADULTS));
    }
    CHECK(output.data == output.owned);
    uint8_t *data = output.data;
    ENDS(SANDBAR_DONE, error, call_json(users, "transform_data", USERS, NULL, &output, &error));
    CHECK(is(&output, ADULTS) && output.data == data);
    sandbar_buffer_free(&output);
    CHECK(output.data == NULL && output.length == 0);

    /* Memory of the caller's is used where the result fits, with a zero behind it. */
    uint8_t own[sizeof ADULTS], small[sizeof ADULTS - 1];
    sandbar_buffer fits = {.data = own, .capacity = sizeof own};
    ENDS(SANDBAR_DONE, error, sandbar_plugin_call(users, "transform_data", USERS, sizeof USERS - 1, NULL, &fits, &error));
    CHECK(is(&fits, ADULTS) && fits.data == own && fits.owned == NULL);
    sandbar_buffer_free(&fits);
    sandbar_buffer grows = {.data = small, .capacity = sizeof small};
    ENDS(SANDBAR_DONE, error, sandbar_plugin_call(users, "transform_data", USERS, sizeof USERS - 1, NULL, &grows, &error));
    CHECK(is(&grows, ADULTS) && grows.data != small && grows.data == grows.owned);
    sandbar_buffer_free(&grows);

    /* Nobody has to want a result. */
    ENDS(SANDBAR_DONE, error, sandbar_plugin_call(users, "transform_data", USERS, sizeof USERS - 1, NULL, NULL, &error));
}

static void numbers(const sandbar_plugin *sensor) {
    sandbar_error *error = NULL;
    sandbar_buffer output = {0};
    ENDS(SANDBAR_DONE, error, call_json(sensor, "calculate_average", "[[20, 22, 27]]", NULL, &output, &error));
    CHECK(is(&output, "23"));
    ENDS(SANDBAR_DONE, error, call_json(sensor, "validate_sensor_reading", "42", NULL, &output, &error));
    CHECK(is(&output, "42"));
    FAILS(SANDBAR_REFUSED, "JSON", error,
          sandbar_plugin_call(sensor, "validate_sensor_reading", "42", 2, NULL, &output, &error));
    ENDS(SANDBAR_DONE, error, sandbar_plugin_describe(sensor, &output, &error));
    CHECK(strstr((char *)output.data, "\"name\":\"sensor\"") != NULL);
    CHECK(strstr((char *)output.data, "calculate_average") != NULL);
    sandbar_buffer_free(&output);
}

static const char NUMBERS[] =
    "(module (memory 1)"
    " (func (export \"none\"))"
    " (func (export \"one\") (param f32) (result f32) (f32.neg (local.get 0)))"
    " (func (export \"two\") (param i64 f64) (result f64) (f64.add (f64.convert_i64_s (local.get 0)) (local.get 1)))"
    " (func (export \"three\") (param i32 i32 i32) (result i32) (i32.sub (i32.add (local.get 0) (local.get 1)) (local.get 2)))"
    " (func (export \"four\") (param i64 i64 i64 i64) (result i64) (i64.sub (local.get 3) (local.get 0)))"
    " (func (export \"mixed\") (param i32 i32 i64))"
    " (func (export \"breaks\") (param i32) (i32.store (local.get 0) (i32.const 1)) unreachable))";

/* A version that gives something else. */
static const char OTHER[] = "(module (func (export \"one\") (param f32) (result f32) (f32.const 9)))";

static sandbar_typed *find(const sandbar_plugin *plugin, const char *name, const char *form) {
    sandbar_error *error = NULL;
    sandbar_typed *typed = NULL;
    ENDS(SANDBAR_DONE, error, sandbar_plugin_typed(plugin, name, form, &typed, &error));
    return typed;
}

static void typed(const sandbar_host *host) {
    sandbar_error *error = NULL;
    sandbar_plugin *plugin = load(host, NUMBERS, NULL);
    sandbar_typed *none = find(plugin, "none", "()"), *one = find(plugin, "one", " (f32)->f32"),
                  *two = find(plugin, "two", "(i64, f64) -> f64"), *three = find(plugin, "three", "(i32,i32,i32) -> i32"),
                  *four = find(plugin, "four", "(i64, i64, i64, i64) -> i64"), *breaks = find(plugin, "breaks", "(i32)"),
                  *nothing = NULL;
    sandbar_number numbers[4], result;
    for (int at = 0; at < 1000; at++) {
        ENDS(SANDBAR_DONE, error, sandbar_typed_call(none, NULL, 0, NULL, &error));
        numbers[0].f32 = 1.5f;
        ENDS(SANDBAR_DONE, error, sandbar_typed_call(one, numbers, 1, &result, &error));
        CHECK(result.f32 == -1.5f);
        numbers[0].i64 = at, numbers[1].f64 = 0.25;
        ENDS(SANDBAR_DONE, error, sandbar_typed_call(two, numbers, 2, &result, &error));
        CHECK(result.f64 == at + 0.25);
        for (int place = 0; place < 3; place++) numbers[place].i32 = at << place;
        ENDS(SANDBAR_DONE, error, sandbar_typed_call(three, numbers, 3, &result, &error));
        CHECK(result.i32 == at + 2 * at - 4 * at);
        for (int64_t place = 0; place < 4; place++) numbers[place].i64 = place << 40;
        ENDS(SANDBAR_DONE, error, sandbar_typed_call(four, numbers, 4, &result, &error));
        CHECK(result.i64 == (int64_t)3 << 40);
        if (at % 100 == 0) {
            numbers[0].i32 = 8;
            FAILS(SANDBAR_TRAPPED, "trapped", error, sandbar_typed_call(breaks, numbers, 1, NULL, &error));
        }
    }
    FAILS(SANDBAR_ARGUMENT, "`arguments_count`: expected 3, found 2", error,
          sandbar_typed_call(three, numbers, 2, &result, &error));
    FAILS(SANDBAR_ARGUMENT, "`arguments` is null", error, sandbar_typed_call(three, NULL, 3, &result, &error));
    FAILS(SANDBAR_ARGUMENT, "`typed` is null", error, sandbar_typed_call(NULL, NULL, 0, &result, &error));
    FAILS(SANDBAR_ARGUMENT, "found `(text)`", error, sandbar_plugin_typed(plugin, "one", "(text)", &nothing, &error));
    FAILS(SANDBAR_ARGUMENT, "expected up to two numbers", error,
          sandbar_plugin_typed(plugin, "mixed", "(i32, i32, i64)", &nothing, &error));
    FAILS(SANDBAR_REFUSED, "", error, sandbar_plugin_typed(plugin, "one", "(f64) -> f32", &nothing, &error));
    FAILS(SANDBAR_REFUSED, "", error, sandbar_plugin_typed(plugin, "zero", "()", &nothing, &error));
    CHECK(nothing == NULL);
    ENDS(SANDBAR_DONE, error, sandbar_plugin_replace_bytes(plugin, OTHER, sizeof OTHER - 1, &error));
    sandbar_plugin_free(plugin);
    ENDS(SANDBAR_DONE, error, sandbar_typed_call(one, numbers, 1, &result, &error));
    CHECK(result.f32 == 9);
    FAILS(SANDBAR_REFUSED, "", error, sandbar_typed_call(two, numbers, 2, &result, &error));
    sandbar_typed *all[] = {none, one, two, three, four, breaks, nothing};
    for (size_t at = 0; at < sizeof all / sizeof *all; at++) sandbar_typed_free(all[at]);
}

static void receipts(const sandbar_plugin *users) {
    sandbar_error *error = NULL;
    sandbar_buffer output = {0}, receipt = {0};
    sandbar_call_options options = {.receipt = &receipt};
    ENDS(SANDBAR_DONE, error,
         sandbar_plugin_call(users, "transform_data", USERS, sizeof USERS - 1, &options, &output, &error));
    CHECK(is(&output, ADULTS));
    CHECK(strstr((char *)receipt.data, "{\"kind\":\"done\"}") != NULL);
    CHECK(strstr((char *)receipt.data, "\"wall_ns\":") != NULL);

    CHECK(sandbar_plugin_call(users, "transform_data", "[", 1, &options, &output, &error) == SANDBAR_FAILED);
    CHECK(sandbar_error_status(error) == SANDBAR_FAILED);
    CHECK(sandbar_error_code(error) != 0);
    CHECK(strstr(sandbar_error_receipt(error), "\"failed\"") != NULL);
    CHECK(strcmp(sandbar_error_receipt(error), (char *)receipt.data) == 0);
    sandbar_error_free(error);
    error = NULL;

    CHECK(sandbar_plugin_call(users, "transform", NULL, 0, &options, &output, &error) == SANDBAR_REFUSED);
    CHECK(sandbar_error_receipt(error) == NULL && receipt.length == 0);
    sandbar_error_free(error);
    sandbar_buffer_free(&output);
    sandbar_buffer_free(&receipt);
}

/* Each argument that has to be there is named where it is not. */
static void arguments(const sandbar_host *host, const sandbar_plugin *users) {
    sandbar_error *error = NULL;
    sandbar_plugin *plugin = (sandbar_plugin *)users;
    sandbar_host *none = NULL;
    sandbar_terms *terms = NULL;
    FAILS(SANDBAR_ARGUMENT, "`plugin` is null", error, sandbar_plugin_call(NULL, "x", NULL, 0, NULL, NULL, &error));
    FAILS(SANDBAR_ARGUMENT, "`export_name` is null", error,
          sandbar_plugin_call(users, NULL, NULL, 0, NULL, NULL, &error));
    FAILS(SANDBAR_ARGUMENT, "`export_name`: expected UTF-8", error,
          sandbar_plugin_call(users, "\xff", NULL, 0, NULL, NULL, &error));
    FAILS(SANDBAR_ARGUMENT, "`input` is null, and its length is 5", error,
          sandbar_plugin_call(users, "x", NULL, 5, NULL, NULL, &error));
    FAILS(SANDBAR_ARGUMENT, "`input`: expected a length", error,
          sandbar_plugin_call(users, "x", "", SIZE_MAX, NULL, NULL, &error));
    FAILS(SANDBAR_ARGUMENT, "`host` is null", error, sandbar_plugin_load_file(NULL, "x", NULL, &plugin, &error));
    CHECK(plugin == NULL);
    FAILS(SANDBAR_ARGUMENT, "`path` is null", error, sandbar_plugin_load_file(host, NULL, NULL, &plugin, &error));
    FAILS(SANDBAR_ARGUMENT, "`plugin` is null", error, sandbar_plugin_load_file(host, "x", NULL, NULL, &error));
    FAILS(SANDBAR_ARGUMENT, "`host` is null", error, sandbar_host_new(NULL, NULL, &error));
    FAILS(SANDBAR_ARGUMENT, "unknown option `sandboxes`; expected one of cache, compiler, sandboxes_max", error,
          sandbar_host_new("{\"sandboxes\": 3}", &none, &error));
    FAILS(SANDBAR_ARGUMENT, "`interruption`: expected \"epochs\" or \"signals\", found `true`", error,
          sandbar_host_new("{\"interruption\": true}", &none, &error));
    FAILS(SANDBAR_ARGUMENT, "`options`: expected JSON", error, sandbar_host_new("{", &none, &error));
    FAILS(SANDBAR_ARGUMENT, "`options`: expected JSON", error, sandbar_terms_new("{", &terms, &error));
    FAILS(SANDBAR_ARGUMENT, "`terms` is null", error, sandbar_terms_new("{}", NULL, &error));
    ENDS(SANDBAR_DONE, error, sandbar_terms_new("{\"limits\": {\"memori\": 3}}", &terms, &error));
    FAILS(SANDBAR_ARGUMENT, "unknown limit `memori`; did you mean `memory`?", error,
          sandbar_plugin_load_bytes(host, "(module)", 8, terms, &plugin, &error));
    sandbar_terms_free(terms);
    FAILS(SANDBAR_LOAD, "there-is-none.wasm", error,
          sandbar_plugin_load_file(host, "there-is-none.wasm", NULL, &plugin, &error));
    FAILS(SANDBAR_LOAD, "", error, sandbar_plugin_load_bytes(host, "(modul", 6, NULL, &plugin, &error));

    /* Nobody has to want an error, and nothing is done to nothing. */
    CHECK(sandbar_plugin_call(users, "transform_data", "[", 1, NULL, NULL, NULL) == SANDBAR_FAILED);
    CHECK(!sandbar_plugin_roll_back(NULL));
    sandbar_cancel_now(NULL);
    sandbar_cancel_free(NULL);
    sandbar_plugin_free(NULL);
    sandbar_terms_free(NULL);
    sandbar_watch_free(NULL);
    sandbar_host_free(NULL);
    sandbar_error_free(NULL);
    sandbar_buffer_free(NULL);
    CHECK(strcmp(sandbar_status_name(SANDBAR_SELF_TEST), "self-test") == 0);
    CHECK(strcmp(sandbar_status_name(-5), "unknown") == 0);
    CHECK(strcmp(sandbar_version(), SANDBAR_VERSION_EXPECTED) == 0);
    CHECK(sandbar_compiler_main(1, NULL) == -1 && sandbar_compiler_main(2, "other") == -1);
}

/* The program is its own compiler, in another process, which has as little address space as a sanitizer can't live with. */
static void compiled_elsewhere(const char *folder) {
    sandbar_error *error = NULL;
    sandbar_host *host = NULL;
    ENDS(SANDBAR_DONE, error,
         sandbar_host_new("{\"cache\": false, \"sandboxes_max\": 4, \"compiler\": \"/proc/self/exe\"}", &host, &error));
    sandbar_plugin *users = load_file(host, folder, "users.wasm");
    bytes_and_buffers(users);
    sandbar_plugin_free(users);
    sandbar_host_free(host);
}

/* A plugin by a manifest of Extism's: 64 KiB of memory are one page. */
static void extism(const sandbar_host *host, const char *folder) {
    sandbar_error *error = NULL;
    sandbar_plugin *plugin = NULL;
    char manifest[4200];
    snprintf(manifest, sizeof manifest, "{\"wasm\": [{\"path\": \"%s/users.wasm\"}], \"timeout_ms\": 5000}", folder);
    ENDS(SANDBAR_DONE, error, sandbar_plugin_load_extism(host, manifest, NULL, &plugin, &error));
    bytes_and_buffers(plugin);
    sandbar_plugin_free(plugin);
    snprintf(manifest, sizeof manifest, "{\"wasm\": [{\"path\": \"%s/users.wasm\"}], \"memory\": {\"max_pages\": 1}}", folder);
    FAILS(SANDBAR_LOAD, "memory", error, sandbar_plugin_load_extism(host, manifest, NULL, &plugin, &error));
    FAILS(SANDBAR_LOAD, "expected a string", error,
          sandbar_plugin_load_extism(host, "{\"wasm\": [{\"data\": {\"ptr\": 8, \"len\": 8}}]}", NULL, &plugin, &error));
    FAILS(SANDBAR_ARGUMENT, "`manifest` is null", error, sandbar_plugin_load_extism(host, NULL, NULL, &plugin, &error));
}

int main(int arguments_count, char **argument) {
    int compiled = sandbar_compiler_main(arguments_count, argument[1]);
    if (compiled >= 0) return compiled;
    CHECK(arguments_count == 3);
    sandbar_host *host = new_host();
    sandbar_plugin *users = load_file(host, argument[1], "users.wasm");
    sandbar_plugin *sensor = load_file(host, argument[1], "sensor.wasm");
    /* Plugins keep what they need of their host. */
    bytes_and_buffers(users);
    numbers(sensor);
    typed(host);
    receipts(users);
    arguments(host, users);
    extism(host, argument[1]);
    sandbar_host_free(host);
    bytes_and_buffers(users);
    sandbar_plugin_free(sensor);
    sandbar_plugin_free(users);
    if (strcmp(argument[2], "plain") == 0) compiled_elsewhere(argument[1]);
    return 0;
}
