/* What a program of C must survive of its plugins: `hostile FOLDER MODE`. Where each step takes long, there are fewer of them. */
#include "check.h"
#include <dirent.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static bool is_slow, is_valgrind;

#define MS 1000000ull

/* What ends soon ends within so long: compiling is part of it, which takes valgrind seconds on a busy machine. */
#define SOON_S (is_valgrind ? 120 : 10)

static const char SPINS[] = "(module (func (export \"spin\") (param i32) (loop (br 0)))"
                            " (func (export \"answer\") (param i32) (result i32) (local.get 0)))";

static void answers(const sandbar_plugin *plugin) {
    sandbar_error *error = NULL;
    uint8_t memory[16];
    sandbar_buffer output = {.data = memory, .capacity = sizeof memory};
    ENDS(SANDBAR_DONE, error, call_json(plugin, "answer", "[7]", NULL, &output, &error));
    CHECK(strcmp((char *)output.data, "7") == 0);
}

static void start_code_loops(const sandbar_host *host) {
    sandbar_error *error = NULL;
    sandbar_plugin *plugin = NULL;
    const char *text = "(module (func $s (loop (br 0))) (start $s) (func (export \"x\") (param i32)))";
    sandbar_terms *terms = new_terms("{\"limits\": {\"wall\": \"100ms\"}}");
    double began_s = now_s();
    FAILS(SANDBAR_STOPPED, "start code", error,
          sandbar_plugin_load_bytes(host, text, strlen(text), terms, &plugin, &error));
    CHECK(plugin == NULL && now_s() - began_s < SOON_S);
    sandbar_terms_free(terms);
}

static void memory_bomb(const sandbar_host *host) {
    sandbar_error *error = NULL;
    sandbar_terms *terms = new_terms("{\"limits\": {\"memory\": \"4MiB\"}}");
    sandbar_plugin *plugin =
        load(host,
             "(module (memory (export \"memory\") 1)"
             " (func (export \"bomb\") (param i32) (result i32) (local $pages i32)"
             "  (loop $more (br_if $more (i32.ne (i32.const -1) (memory.grow (i32.const 1))))) (memory.size))"
             " (func (export \"answer\") (param i32) (result i32) (local.get 0)))",
             terms);
    sandbar_terms_free(terms);
    sandbar_buffer output = {0};
    for (int at = 0; at < 20; at++) {
        sandbar_status status = call_json(plugin, "bomb", "[0]", NULL, &output, &error);
        CHECK(status == SANDBAR_STOPPED || (status == SANDBAR_DONE && atoi((char *)output.data) <= 64));
        sandbar_error_free(error);
        error = NULL;
        answers(plugin);
    }
    sandbar_buffer_free(&output);
    sandbar_plugin_free(plugin);
}

static void traps(const sandbar_host *host) {
    sandbar_error *error = NULL;
    sandbar_plugin *plugin = load(host,
                                  "(module (memory 1) (func $deep (export \"deep\") (param i32) (call $deep (local.get 0)))"
                                  " (func (export \"unreachable\") (param i32) unreachable)"
                                  " (func (export \"outside\") (param i32) (i32.store (local.get 0) (i32.const 1)))"
                                  " (func (export \"zero\") (param i32) (result i32) (i32.div_s (i32.const 1) (local.get 0)))"
                                  " (func (export \"answer\") (param i32) (result i32) (local.get 0)))",
                                  NULL);
    static const char *const names[][2] = {
        {"unreachable", "[0]"}, {"outside", "[-4]"}, {"zero", "[0]"}, {"deep", "[0]"}};
    int rounds = is_slow ? 3 : 200;
    for (int round = 0; round < rounds; round++) {
        for (size_t at = 0; at < sizeof names / sizeof *names; at++) {
            /* Valgrind calls what the guest tries an invalid write, as it is. */
            if (is_valgrind && strcmp(names[at][0], "outside") == 0) continue;
            FAILS(SANDBAR_TRAPPED, "trapped", error,
                  call_json(plugin, names[at][0], names[at][1], NULL, NULL, &error));
        }
        answers(plugin);
    }
    sandbar_plugin_free(plugin);
}

static int32_t count_up(sandbar_call *call, const sandbar_value *arguments, size_t count, void *user_data) {
    (void)call, (void)arguments, (void)count;
    ++*(uint64_t *)user_data;
    return SANDBAR_DONE;
}

static int32_t chatter(sandbar_call *call, const sandbar_value *arguments, size_t count, void *user_data) {
    (void)arguments, (void)count, (void)user_data;
    return sandbar_call_log(call, SANDBAR_LOG_INFO, "again and again and again", 25);
}

static void storm(const sandbar_host *host) {
    sandbar_error *error = NULL;
    uint64_t calls = 0;
    sandbar_terms *terms = new_terms("{\"limits\": {\"wall\": \"200ms\", \"log\": \"1KiB\"}}");
    ENDS(SANDBAR_DONE, error, sandbar_terms_function(terms, "env", "count", "()", count_up, &calls, NULL, &error));
    ENDS(SANDBAR_DONE, error, sandbar_terms_function(terms, "env", "say", "()", chatter, NULL, NULL, &error));
    sandbar_plugin *plugin =
        load(host,
             "(module (import \"env\" \"count\" (func $count)) (import \"env\" \"say\" (func $say))"
             " (func (export \"storm\") (param i32) (loop (call $count) (br 0)))"
             " (func (export \"chatter\") (param i32) (loop (call $say) (br 0)))"
             " (func (export \"answer\") (param i32) (result i32) (local.get 0)))",
             terms);
    sandbar_terms_free(terms);
    double began_s = now_s();
    FAILS(SANDBAR_STOPPED, "`wall`", error, call_json(plugin, "storm", "[0]", NULL, NULL, &error));
    CHECK(calls > (is_slow ? 10 : 1000) && now_s() - began_s < SOON_S);
    answers(plugin);
    FAILS(SANDBAR_STOPPED, "`log`", error, call_json(plugin, "chatter", "[0]", NULL, NULL, &error));
    answers(plugin);
    sandbar_plugin_free(plugin);
}

/* Functions that call the plugin that called them, and another. */
struct ring {
    sandbar_plugin *plugins[2];
    sandbar_status statuses[3];
    int depth;
};

static int32_t call_next(sandbar_call *call, const sandbar_value *arguments, size_t count, void *user_data) {
    (void)arguments, (void)count;
    struct ring *ring = user_data;
    int depth = ring->depth++;
    CHECK(depth < 3);
    sandbar_status status = call_json(ring->plugins[(depth + 1) % 2], "next", "[0]", NULL, NULL, NULL);
    ring->statuses[depth] = status;
    return sandbar_call_give_int(call, depth);
}

static void re_entrance(const sandbar_host *host) {
    sandbar_error *error = NULL;
    struct ring ring = {0};
    sandbar_terms *terms = new_terms(NULL);
    ENDS(SANDBAR_DONE, error,
         sandbar_terms_function(terms, "env", "next", "() -> i32", call_next, &ring, NULL, &error));
    const char *text = "(module (import \"env\" \"next\" (func $next (result i32)))"
                       " (func (export \"next\") (param i32) (result i32) (call $next)))";
    ring.plugins[0] = load(host, text, terms);
    ring.plugins[1] = load(host, text, terms);
    sandbar_terms_free(terms);
    for (int round = 0; round < 50; round++) {
        ring.depth = 0;
        ENDS(SANDBAR_DONE, error, call_json(ring.plugins[0], "next", "[0]", NULL, NULL, &error));
        CHECK(ring.depth == 2 && ring.statuses[0] == SANDBAR_DONE && ring.statuses[1] == SANDBAR_REFUSED);
    }
    sandbar_plugin_free(ring.plugins[0]);
    sandbar_plugin_free(ring.plugins[1]);
}

static void deadlines(const sandbar_host *host) {
    sandbar_error *error = NULL;
    sandbar_plugin *plugin = load(host, SPINS, NULL);
    for (int round = 0; round < 5; round++) {
        sandbar_call_options options = {.within_ns = 30 * MS};
        double began_s = now_s();
        FAILS(SANDBAR_STOPPED, "`wall`", error, call_json(plugin, "spin", "[0]", &options, NULL, &error));
        CHECK(now_s() - began_s < SOON_S);
        answers(plugin);
    }
    sandbar_plugin_free(plugin);
}

struct spinning {
    const sandbar_plugin *plugin;
    sandbar_call_options options;
    sandbar_status status;
    double took_s;
};

static void *spin(void *given) {
    struct spinning *spinning = given;
    double began_s = now_s();
    spinning->status = call_json(spinning->plugin, "spin", "[0]", &spinning->options, NULL, NULL);
    spinning->took_s = now_s() - began_s;
    return NULL;
}

/* One of two calls of the same guest is cancelled; the other goes on until its own time is over. */
static void cancel(const sandbar_host *host) {
    sandbar_plugin *plugins[2] = {load(host, SPINS, NULL), load(host, SPINS, NULL)};
    sandbar_cancel *cancels[2] = {sandbar_cancel_new(), sandbar_cancel_new()};
    struct spinning calls[2];
    pthread_t threads[2];
    for (int at = 0; at < 2; at++) {
        calls[at] = (struct spinning){plugins[at], {.cancel = cancels[at], .within_ns = (at == 0 ? 60000 : 1000) * MS}, 0, 0};
        CHECK(pthread_create(&threads[at], NULL, spin, &calls[at]) == 0);
    }
    usleep(100 * 1000);
    sandbar_cancel_now(cancels[0]);
    for (int at = 0; at < 2; at++) CHECK(pthread_join(threads[at], NULL) == 0);
    CHECK(calls[0].status == SANDBAR_CANCELLED && calls[0].took_s < 30);
    CHECK(calls[1].status == SANDBAR_STOPPED && calls[1].took_s > 0.9);
    /* What is cancelled before it begins ends as well. */
    CHECK(call_json(plugins[0], "spin", "[0]", &calls[0].options, NULL, NULL) == SANDBAR_CANCELLED);
    for (int at = 0; at < 2; at++) {
        answers(plugins[at]);
        sandbar_plugin_free(plugins[at]);
        sandbar_cancel_free(cancels[at]);
    }
}

/* A process that was forked has none of the library's threads. It can make a host of its own, which finds what was compiled, and
 * compiles what was not. */
static void forked(void) {
    char folder[] = "/tmp/sandbar-forked-XXXXXX", options[128], command[128];
    CHECK(mkdtemp(folder) != NULL);
    snprintf(options, sizeof options, "{\"cache\": \"%s\", \"sandboxes_max\": 4}", folder);
    sandbar_error *error = NULL;
    sandbar_host *host = NULL;
    ENDS(SANDBAR_DONE, error, sandbar_host_new(options, &host, &error));
    sandbar_plugin *plugin = load(host, SPINS, NULL);
    answers(plugin);
    fflush(NULL);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        alarm(60);
        FAILS(SANDBAR_REFUSED, "make another host here", error, call_json(plugin, "answer", "[7]", NULL, NULL, &error));
        sandbar_host *own = NULL;
        ENDS(SANDBAR_DONE, error, sandbar_host_new(options, &own, &error));
        sandbar_plugin *again = load(own, SPINS, NULL);
        answers(again);
        sandbar_plugin *compiled = load(own, "(module (func (export \"answer\") (param i32) (result i32) local.get 0))", NULL);
        answers(compiled);
        sandbar_plugin_free(compiled);
        sandbar_plugin_free(again);
        sandbar_host_free(own);
        _exit(0);
    }
    int status = 0;
    CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0);
    answers(plugin);
    sandbar_plugin_free(plugin);
    sandbar_host_free(host);
    snprintf(command, sizeof command, "rm -r %s", folder);
    CHECK(system(command) == 0);
}

static sigjmp_buf back;
static volatile sig_atomic_t faults;

static void on_fault(int signal_number) {
    (void)signal_number;
    faults++;
    siglongjmp(back, 1);
}

/* A fault of a guest is none of the program's handler's, which was there before the first host; one of the program still is. */
static void faults_of_the_program(const sandbar_host *host) {
    sandbar_plugin *plugin = load(
        host, "(module (memory 1) (func (export \"outside\") (param i32) (i32.store (local.get 0) (i32.const 1))))", NULL);
    CHECK(call_json(plugin, "outside", "[-4]", NULL, NULL, NULL) == SANDBAR_TRAPPED && faults == 0);
    if (sigsetjmp(back, 1) == 0) raise(SIGSEGV);
    CHECK(faults == 1);
    CHECK(call_json(plugin, "outside", "[-4]", NULL, NULL, NULL) == SANDBAR_TRAPPED && faults == 1);
    sandbar_plugin_free(plugin);
}

static void by_epochs(void) {
    sandbar_error *error = NULL;
    sandbar_host *host = NULL;
    ENDS(SANDBAR_DONE, error,
         sandbar_host_new("{\"cache\": false, \"sandboxes_max\": 4, \"interruption\": \"epochs\"}", &host, &error));
    deadlines(host);
    cancel(host);
    sandbar_host_free(host);
}

static int count(const char *folder) {
    int found = 0;
    DIR *entries = opendir(folder);
    CHECK(entries != NULL);
    while (readdir(entries) != NULL) found++;
    closedir(entries);
    return found;
}

static long resident_kib(void) {
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    CHECK(file != NULL && fscanf(file, "%*d %ld", &pages) == 1);
    fclose(file);
    return pages * 4;
}

static void every_way(const sandbar_host *host, const sandbar_plugin *plugin) {
    uint8_t memory[16];
    char text[] = "(module (func (export \"answer\") (param i32) (result i32) (local.get 0)))";
    sandbar_buffer output = {.data = memory, .capacity = sizeof memory}, receipt = {0};
    sandbar_call_options options = {.receipt = &receipt};
    sandbar_error *error = NULL;
    sandbar_plugin *other = load(host, text, NULL);
    answers(other);
    sandbar_plugin_free(other);
    for (int at = 0; at < 20; at++) {
        answers(plugin);
        ENDS(SANDBAR_DONE, error, call_json(plugin, "answer", "[7]", &options, &output, &error));
        ENDS(SANDBAR_TRAPPED, error, call_json(plugin, "fall", "[0]", &options, &output, &error));
        ENDS(SANDBAR_REFUSED, error, call_json(plugin, "answer", "[7, 8]", &options, &output, &error));
        ENDS(SANDBAR_REFUSED, error, call_json(plugin, "nothing", "[7]", NULL, NULL, &error));
    }
    sandbar_buffer_free(&receipt);
}

/* Descriptors, threads and memory stay what they are over thousands of calls. */
static void nothing_is_left(const sandbar_host *host) {
    sandbar_plugin *plugin = load(host,
                                  "(module (func (export \"answer\") (param i32) (result i32) (local.get 0))"
                                  " (func (export \"fall\") (param i32) unreachable))",
                                  NULL);
    int rounds = is_slow ? 2 : 100;
    for (int round = 0; round < rounds; round++) every_way(host, plugin);
    int descriptors = count("/proc/self/fd"), threads = count("/proc/self/task");
    long before_kib = resident_kib();
    for (int round = 0; round < rounds; round++) every_way(host, plugin);
    CHECK(count("/proc/self/fd") <= descriptors + 1 && count("/proc/self/task") <= threads + 1);
    if (!is_slow) {
        long after_kib = resident_kib();
        if (after_kib > before_kib + 4096) fprintf(stderr, "%ld KiB before, %ld KiB after\n", before_kib, after_kib);
        CHECK(after_kib <= before_kib + 4096);
    }
    sandbar_plugin_free(plugin);
}

static void hosts_come_and_go(void) {
    int rounds = is_slow ? 2 : 20, descriptors = 0, threads = 0;
    for (int round = 0; round < rounds; round++) {
        sandbar_host *host = new_host();
        sandbar_plugin *plugin = load(host, SPINS, NULL);
        sandbar_host_free(host);
        answers(plugin);
        sandbar_plugin_free(plugin);
        usleep(20 * 1000);
        if (round == rounds / 2) {
            descriptors = count("/proc/self/fd");
            threads = count("/proc/self/task");
        }
    }
    /* Threads end a little after their host. */
    CHECK(count("/proc/self/fd") <= descriptors + 6 && count("/proc/self/task") <= threads + 6);
}

int main(int arguments_count, char **argument) {
    CHECK(arguments_count == 3);
    is_valgrind = strcmp(argument[2], "valgrind") == 0;
    is_slow = is_valgrind || strcmp(argument[2], "sanitized") == 0;
    struct sigaction action = {.sa_handler = on_fault, .sa_flags = SA_ONSTACK};
    CHECK(is_valgrind || sigaction(SIGSEGV, &action, NULL) == 0);
    sandbar_host *host = new_host();
    start_code_loops(host);
    memory_bomb(host);
    traps(host);
    storm(host);
    re_entrance(host);
    deadlines(host);
    cancel(host);
    /* Valgrind has the program's signals, and one processor for all of its threads. */
    if (!is_valgrind) {
        forked();
        faults_of_the_program(host);
        by_epochs();
    }
    nothing_is_left(host);
    sandbar_host_free(host);
    hosts_come_and_go();
    return 0;
}
