/* Functions of the host, of core modules and of a component. */
#include "check.h"
#include <stdatomic.h>
#include <unistd.h>

/* Counts what is freed. */
static int freed;

static void free_counted(void *user_data) {
    CHECK(user_data == &freed);
    freed++;
}

static int32_t take(sandbar_call *call, const sandbar_value *arguments, size_t count, void *user_data) {
    CHECK(user_data == &freed && count == 7);
    CHECK(arguments[0].kind == SANDBAR_INT && arguments[0].of.integer == -5);
    CHECK(arguments[1].kind == SANDBAR_UINT && arguments[1].of.unsigned_integer == 4294967295);
    CHECK(arguments[2].kind == SANDBAR_INT && arguments[2].of.integer == INT64_MIN);
    CHECK(arguments[3].kind == SANDBAR_FLOAT && arguments[3].of.number == 1.5);
    CHECK(arguments[4].kind == SANDBAR_BOOL && arguments[4].of.boolean);
    CHECK(arguments[5].kind == SANDBAR_TEXT && arguments[5].of.bytes.length == 5);
    CHECK(memcmp(arguments[5].of.bytes.data, "hello", 5) == 0);
    CHECK(arguments[6].kind == SANDBAR_BYTES && arguments[6].of.bytes.length == 0);
    return sandbar_call_give_int(call, INT64_MAX);
}

static int32_t give_float(sandbar_call *call, const sandbar_value *arguments, size_t count, void *user_data) {
    (void)user_data;
    CHECK(count == 1);
    return sandbar_call_give_float(call, arguments[0].of.number * 2);
}

static int32_t give_too_much(sandbar_call *call, const sandbar_value *arguments, size_t count, void *user_data) {
    (void)arguments, (void)user_data;
    CHECK(count == 0);
    return sandbar_call_give_uint(call, UINT64_MAX);
}

static int32_t fail(sandbar_call *call, const sandbar_value *arguments, size_t count, void *user_data) {
    (void)count, (void)user_data;
    switch (arguments[0].of.integer) {
        case 0: return sandbar_call_fail(call, "there is no such article");
        case 1: return sandbar_call_deny(call, "article 1");
        case 2: return 77;
        /* What was said to fail has failed. */
        case 3: sandbar_call_fail(call, "it said so"); return SANDBAR_DONE;
        /* What is not taken as a failure is none. */
        default: CHECK(sandbar_call_read(call, UINT32_MAX, NULL, 0) != SANDBAR_BUG); return sandbar_call_give_int(call, 4);
    }
}

static int32_t reverse(sandbar_call *call, const sandbar_value *arguments, size_t count, void *user_data) {
    (void)user_data;
    char text[6] = {0}, back[6] = {0};
    uint8_t *memory = NULL;
    size_t length = 0;
    CHECK(count == 2);
    uint32_t pointer = (uint32_t)arguments[0].of.integer;
    if (sandbar_call_read(call, pointer, text, (uint32_t)arguments[1].of.integer) != SANDBAR_DONE) return SANDBAR_FAULT;
    for (int at = 0; at < 5; at++) back[at] = text[4 - at];
    CHECK(sandbar_call_write(call, pointer, back, 5) == SANDBAR_DONE);
    CHECK(sandbar_call_memory(call, &memory, &length) == SANDBAR_DONE && length == 65536);
    CHECK(memcmp(memory + pointer, "olleh", 5) == 0);
    memory[pointer] = 'O';
    CHECK(sandbar_call_memory(call, NULL, &length) == SANDBAR_FAULT);
    /* Outside of the memory nothing is read or written, and the function may go on. */
    CHECK(sandbar_call_write(call, 65534, back, 5) == SANDBAR_FAULT);
    CHECK(sandbar_call_read(call, 65534, back, 5) == SANDBAR_FAULT);
    CHECK(sandbar_call_log(call, SANDBAR_LOG_WARN, "reversed", 8) == SANDBAR_DONE);
    return SANDBAR_DONE;
}

static int32_t context(sandbar_call *call, const sandbar_value *arguments, size_t count, void *user_data) {
    (void)arguments, (void)count, (void)user_data;
    int *given = sandbar_call_context(call);
    sandbar_buffer id = {0};
    CHECK(sandbar_call_id(call, &id) == SANDBAR_DONE && id.length == 32);
    sandbar_buffer_free(&id);
    double left_s = (double)sandbar_call_deadline_ns(call) / 1e9 - now_s();
    CHECK(left_s <= 10);
    return given == NULL ? sandbar_call_fail(call, "nobody is logged in") : sandbar_call_give_int(call, *given);
}

static const char CORE[] =
    "(module"
    " (import \"env\" \"take\" (func $take (param i32 i32 i64 f64 i32 i32 i32 i32 i32) (result i64)))"
    " (import \"env\" \"double\" (func $double (param f32) (result f32)))"
    " (import \"env\" \"too-much\" (func $much (result i32)))"
    " (import \"env\" \"fail\" (func $fail (param i32) (result i32)))"
    " (import \"env\" \"reverse\" (func $reverse (param i32 i32)))"
    " (import \"env\" \"context\" (func $context (result i32)))"
    " (memory (export \"memory\") 1 1)"
    " (data (i32.const 16) \"hello\")"
    " (func (export \"take\") (param i32) (result i64)"
    "   (call $take (i32.const -5) (i32.const -1) (i64.const 0x8000000000000000) (f64.const 1.5) (i32.const 8)"
    "     (i32.const 16) (i32.const 5) (i32.const 0) (i32.const 0)))"
    " (func (export \"double\") (param f32) (result f32) (call $double (local.get 0)))"
    " (func (export \"too-much\") (param i32) (result i32) (call $much))"
    " (func (export \"fail\") (param i32) (result i32) (call $fail (local.get 0)))"
    " (func (export \"reverse\") (param i32) (result i32)"
    "   (call $reverse (local.get 0) (i32.const 5)) (i32.load8_u (i32.const 16)))"
    " (func (export \"context\") (param i32) (result i32) (call $context)))";

static int lines, settled;

static void hear(const sandbar_log_record *record, void *user_data) {
    CHECK(user_data == &freed && record->call.length == 32);
    CHECK(record->plugin.length == 4 && memcmp(record->plugin.data, "core", 4) == 0);
    if (record->level == SANDBAR_LOG_WARN && record->message.length == 8 &&
        memcmp(record->message.data, "reversed", 8) == 0) {
        lines++;
    }
}

static void settle(sandbar_bytes receipt, void *user_data) {
    CHECK(user_data == &freed && receipt.data[0] == '{' && receipt.data[receipt.length - 1] == '}');
    settled++;
}

static const char *try_it(const sandbar_plugin *plugin, void *user_data) {
    CHECK(user_data == &freed);
    return call_json(plugin, "double", "[1]", NULL, NULL, NULL) == SANDBAR_DONE ? NULL : "it can't double";
}

static void core(const sandbar_host *host) {
    sandbar_error *error = NULL;
    sandbar_buffer output = {0};
    sandbar_terms *terms = new_terms("{\"name\": \"core\"}");
    freed = 0;
#define FUNCTION(name, form, function)                                                                        \
    ENDS(SANDBAR_DONE, error,                                                                                     \
         sandbar_terms_function(terms, "env", name, form, function, &freed, free_counted, &error))
    FUNCTION("take", "(i32, u32, i64, f64, bool, text, bytes) -> i64", take);
    FUNCTION("double", NULL, give_float);
    FUNCTION("too-much", "() -> i32", give_too_much);
    FUNCTION("fail", "(i32) -> i32", fail);
    FUNCTION("reverse", "(i32, i32)", reverse);
    FUNCTION("context", "() -> i32", context);
    ENDS(SANDBAR_DONE, error, sandbar_terms_log(terms, hear, &freed, free_counted, &error));
    ENDS(SANDBAR_DONE, error, sandbar_terms_receipts(terms, settle, &freed, free_counted, &error));
    ENDS(SANDBAR_DONE, error, sandbar_terms_self_test(terms, try_it, &freed, free_counted, &error));
    CHECK(freed == 0);

    /* What is not taken is freed at once. */
    FAILS(SANDBAR_ARGUMENT, "`form`: unknown type `i33`", error,
          sandbar_terms_function(terms, "env", "x", "(i33)", take, &freed, free_counted, &error));
    FAILS(SANDBAR_ARGUMENT, "`function` is null", error,
          sandbar_terms_function(terms, "env", "x", NULL, NULL, &freed, free_counted, &error));
    FAILS(SANDBAR_ARGUMENT, "`log` is null", error, sandbar_terms_log(terms, NULL, &freed, free_counted, &error));
    CHECK(freed == 3);

    sandbar_plugin *plugin = load(host, CORE, terms);
    CHECK(settled == 1);
    sandbar_terms_free(terms);
    CHECK(freed == 3);
    ENDS(SANDBAR_DONE, error, call_json(plugin, "take", "[0]", NULL, &output, &error));
    CHECK(strcmp((char *)output.data, "\"9223372036854775807\"") == 0);
    ENDS(SANDBAR_DONE, error, call_json(plugin, "double", "[1.25]", NULL, &output, &error));
    CHECK(strcmp((char *)output.data, "2.5") == 0);
    FAILS(SANDBAR_FAULT, "its guest expects `i32`", error, call_json(plugin, "too-much", "[0]", NULL, &output, &error));
    FAILS(SANDBAR_FAULT, "there is no such article", error, call_json(plugin, "fail", "[0]", NULL, &output, &error));
    FAILS(SANDBAR_REFUSED, "article 1", error, call_json(plugin, "fail", "[1]", NULL, &output, &error));
    FAILS(SANDBAR_FAULT, "it returned 77", error, call_json(plugin, "fail", "[2]", NULL, &output, &error));
    FAILS(SANDBAR_FAULT, "it said so", error, call_json(plugin, "fail", "[3]", NULL, &output, &error));
    ENDS(SANDBAR_DONE, error, call_json(plugin, "fail", "[4]", NULL, &output, &error));
    ENDS(SANDBAR_DONE, error, call_json(plugin, "reverse", "[16]", NULL, &output, &error));
    CHECK(strcmp((char *)output.data, "79") == 0);
    FAILS(SANDBAR_FAULT, "of its memory of 65536 bytes", error, call_json(plugin, "reverse", "[65533]", NULL, &output, &error));
    int user = 40;
    sandbar_call_options options = {.context = &user};
    ENDS(SANDBAR_DONE, error, call_json(plugin, "context", "[0]", &options, &output, &error));
    CHECK(strcmp((char *)output.data, "40") == 0);
    FAILS(SANDBAR_FAULT, "nobody is logged in", error, call_json(plugin, "context", "[0]", NULL, &output, &error));
    CHECK(lines == 1 && settled == 13);

    /* A version that does not pass its test changes nothing. */
    FAILS(SANDBAR_SELF_TEST, "it can't double", error, sandbar_plugin_replace_bytes(plugin, "(module)", 8, &error));
    ENDS(SANDBAR_DONE, error, call_json(plugin, "double", "[1]", NULL, &output, &error));
    sandbar_buffer_free(&output);
    sandbar_plugin_free(plugin);
    CHECK(freed == 12);
}

static void free_context(void *user_data) {
    atomic_fetch_add((atomic_int *)user_data, 1);
}

/* Each context is freed once, when no function can find it any more: also where a call was given up whose guest goes on for a moment. */
static void contexts(const sandbar_host *host) {
    static const char *const sandboxes[] = {"{\"sandbox\": \"held\"}", "{\"sandbox\": \"fresh\", \"sandboxes_max\": 2}",
                                            "{\"sandbox\": {\"reuse\": 100}, \"sandboxes_max\": 2}"};
    const char *text = "(module (import \"env\" \"context\" (func $context (result i32)))"
                       " (func (export \"once\") (param i32) (result i32) (call $context))"
                       " (func (export \"ever\") (param i32) (loop (drop (call $context)) (br 0))))";
    for (size_t at = 0; at < 3; at++) {
        sandbar_error *error = NULL;
        atomic_int freed_contexts = 0;
        sandbar_terms *terms = new_terms(sandboxes[at]);
        ENDS(SANDBAR_DONE, error,
             sandbar_terms_function(terms, "env", "context", "() -> i32", context, NULL, NULL, &error));
        sandbar_plugin *plugin = load(host, text, terms);
        sandbar_terms_free(terms);
        sandbar_call_options options = {.context = &freed_contexts, .context_free = free_context};
        for (int count = 0; count < 10; count++) {
            ENDS(SANDBAR_DONE, error, call_json(plugin, "once", "[0]", &options, NULL, &error));
        }
        FAILS(SANDBAR_ARGUMENT, "`export_name` is null", error,
              sandbar_plugin_call(plugin, NULL, NULL, 0, &options, NULL, &error));
        FAILS(SANDBAR_ARGUMENT, "`input` is null", error,
              sandbar_plugin_call(plugin, "once", NULL, 1, &options, NULL, &error));
        options.within_ns = 100000000;
        ENDS(SANDBAR_STOPPED, error, call_json(plugin, "ever", "[0]", &options, NULL, &error));
        sandbar_plugin_free(plugin);
        double began_s = now_s();
        while (atomic_load(&freed_contexts) < 13) {
            CHECK(now_s() - began_s < 60);
            usleep(1000);
        }
        usleep(50 * 1000);
        CHECK(atomic_load(&freed_contexts) == 13);
    }
}

static int32_t greet(sandbar_call *call, const sandbar_value *arguments, size_t count, void *user_data) {
    (void)user_data;
    CHECK(count == 1 && arguments[0].kind == SANDBAR_JSON);
    CHECK(arguments[0].of.bytes.length == 4 && memcmp(arguments[0].of.bytes.data, "[20]", 4) == 0);
    return sandbar_call_give_json(call, "21");
}

static const char COMPONENT[] =
    "(component"
    " (import \"acme:shop/prices\" (instance $prices (export \"price\" (func (param \"article\" u32) (result u32)))))"
    " (core func $price (canon lower (func $prices \"price\")))"
    " (core module $inner (import \"shop\" \"price\" (func $price (param i32) (result i32)))"
    "  (func (export \"total\") (param i32) (result i32) (i32.mul (i32.const 2) (call $price (local.get 0)))))"
    " (core instance $it (instantiate $inner (with \"shop\" (instance (export \"price\" (func $price))))))"
    " (func (export \"total\") (param \"article\" u32) (result u32) (canon lift (core func $it \"total\"))))";

static void component(const sandbar_host *host) {
    sandbar_error *error = NULL;
    sandbar_buffer output = {0};
    sandbar_terms *terms = new_terms(NULL);
    ENDS(SANDBAR_DONE, error,
         sandbar_terms_function(terms, "acme:shop/prices", "price", NULL, greet, NULL, NULL, &error));
    sandbar_plugin *plugin = load(host, COMPONENT, terms);
    sandbar_terms_free(terms);
    ENDS(SANDBAR_DONE, error, call_json(plugin, "total", "{\"article\": 20}", NULL, &output, &error));
    CHECK(strcmp((char *)output.data, "42") == 0);
    sandbar_buffer_free(&output);
    sandbar_plugin_free(plugin);
}

int main(void) {
    sandbar_host *host = new_host();
    core(host);
    component(host);
    contexts(host);
    sandbar_host_free(host);
    return 0;
}
