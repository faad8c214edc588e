/* Sandbar: runs untrusted WebAssembly plugins inside a host program. The manual is docs/c.md.
 *
 * Written by packages/c/tests/header.rs.
 *
 * Pointers are to what they are named after, and may be null only where that is said. Texts end with a zero byte and are UTF-8
 * where nothing else is said. What a function makes is the caller's to free, by the function named for it. Functions give
 * SANDBAR_DONE, or why not; then `error`, where it is not null, is set to an error that the caller frees, and otherwise to null.
 */

#ifndef SANDBAR_H
#define SANDBAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// How a function ended. Below 10 it is how a call of a plugin ended, or its start code; from 10 on there was no call.
enum sandbar_status
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  // It did what it was asked for.
  SANDBAR_DONE = 0,
  // The guest itself said that it failed, and can be called again as it is.
  SANDBAR_FAILED = 1,
  // A limit was used up, such as the call's time.
  SANDBAR_STOPPED = 2,
  // The guest broke: unreachable, out of bounds.
  SANDBAR_TRAPPED = 3,
  // The call was not let in: no such export, arguments that don't fit, something not granted, all sandboxes busy.
  SANDBAR_REFUSED = 4,
  // The call was cancelled.
  SANDBAR_CANCELLED = 5,
  // The host failed, most often a function that it gave to the plugin. The message says how.
  SANDBAR_FAULT = 6,
  // An argument is null, no UTF-8 or not in its form.
  SANDBAR_ARGUMENT = 10,
  // The plugin can't be read or compiled, or imports what nobody gives it.
  SANDBAR_LOAD = 11,
  // The plugin did not pass its self-test.
  SANDBAR_SELF_TEST = 12,
  // The system has no more threads or memory.
  SANDBAR_SYSTEM = 13,
  // The library itself is wrong: please tell its makers.
  SANDBAR_BUG = 14,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum sandbar_status sandbar_status;
#else
typedef int32_t sandbar_status;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// The type of a value.
enum sandbar_value_kind
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  // `of.boolean`, of a `bool`.
  SANDBAR_BOOL = 1,
  // `of.integer`, of an `i32` or `i64`.
  SANDBAR_INT = 2,
  // `of.unsigned_integer`, of a `u32` or `u64`.
  SANDBAR_UINT = 3,
  // `of.number`, of an `f32` or `f64`.
  SANDBAR_FLOAT = 4,
  // `of.bytes`, UTF-8 of a `text`. No zero byte ends it.
  SANDBAR_TEXT = 5,
  // `of.bytes`, of `bytes` or a `block`.
  SANDBAR_BYTES = 6,
  // `of.bytes`, the arguments of a component's call as a JSON array.
  SANDBAR_JSON = 7,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum sandbar_value_kind sandbar_value_kind;
#else
typedef int32_t sandbar_value_kind;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// How much a line matters.
enum sandbar_log_level
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  // The finest that a guest says itself.
  SANDBAR_LOG_TRACE = 0,
  // What helps its author.
  SANDBAR_LOG_DEBUG = 1,
  // What the guest wrote to stderr, and hints.
  SANDBAR_LOG_INFO = 2,
  // A call that did not end well.
  SANDBAR_LOG_WARN = 3,
  // A failure of the host.
  SANDBAR_LOG_ERROR = 4,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum sandbar_log_level sandbar_log_level;
#else
typedef int32_t sandbar_log_level;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// A call of a plugin that called a function of the host. It is there until that function returns, for its thread only.
typedef struct sandbar_call sandbar_call;

// Ends the calls that it is given to, from any thread.
typedef struct sandbar_cancel sandbar_cancel;

// Why a function could not do what it was asked for. It is the caller's, and is freed by `sandbar_error_free`.
typedef struct sandbar_error sandbar_error;

// What plugins share. Any thread can use it; make one for a process, after forking.
typedef struct sandbar_host sandbar_host;

// A guest that is loaded, with its grants and limits. Any thread can use it. It keeps its host.
typedef struct sandbar_plugin sandbar_plugin;

// What plugins are loaded with. It can be used for many plugins, and be freed when they are loaded. While it is changed, one thread
// may use it.
typedef struct sandbar_terms sandbar_terms;

// A function of a plugin that takes and gives numbers, found once. Any thread can use it. It keeps its plugin, and finds itself again
// where that was replaced.
typedef struct sandbar_typed sandbar_typed;

// Watches a file, until it is freed.
typedef struct sandbar_watch sandbar_watch;

// Memory of the caller's for a result. Begin with all zeroes, or with `data` and `capacity` of memory of your own, and use the
// same buffer for many calls. A result that does not fit goes to memory of the library's, which is there until
// `sandbar_buffer_free`. Behind a result there is a zero byte, so that a text can be printed.
typedef struct sandbar_buffer {
  // The result, in your memory or in the library's.
  uint8_t *data;
  // How long the result is, in bytes.
  size_t length;
  // How much there is room for, in bytes.
  size_t capacity;
  // The library's memory, where it was needed. Leave it as it is.
  uint8_t *owned;
} sandbar_buffer;

// Frees what a callback was given, once nothing can call it any more. It may run on any thread.
typedef void (*sandbar_destructor)(void *user_data);

// What one call is made with. All zeroes are none of it.
typedef struct sandbar_call_options {
  // What ends the call from another thread, or null.
  const struct sandbar_cancel *cancel;
  // How much wall time it has, in nanoseconds, where that is less than the plugin's limit; zero for that limit.
  uint64_t within_ns;
  // What functions of the host find with this call, by `sandbar_call_context`.
  void *context;
  // What frees `context` once no function of the host can find it any more, or null. A call that was stopped or cancelled may give
  // before its guest has ended, where its sandbox is not held.
  sandbar_destructor context_free;
  // Where the call's receipt is written as JSON, or null. Where no call began it is emptied.
  struct sandbar_buffer *receipt;
} sandbar_call_options;

// Bytes that belong to somebody else.
typedef struct sandbar_bytes {
  // Where they begin.
  const uint8_t *data;
  // How many there are.
  size_t length;
} sandbar_bytes;

// What a value is, by its kind.
typedef union sandbar_value_of {
  // True or false.
  bool boolean;
  // An integer.
  int64_t integer;
  // An integer without a sign.
  uint64_t unsigned_integer;
  // A float.
  double number;
  // A text, bytes or JSON, there until the function returns.
  struct sandbar_bytes bytes;
} sandbar_value_of;

// An argument of a function of the host.
typedef struct sandbar_value {
  // What it is.
  sandbar_value_kind kind;
  // Its value: look at the member that the kind names.
  union sandbar_value_of of;
} sandbar_value;

// A function of the host. It may be called on any thread, at one time on several. What it gives its guest it gives by
// `sandbar_call_give_…`. Where it returns anything but zero, or called `sandbar_call_fail` or `sandbar_call_deny`, the plugin's call
// ends. It must come back by returning: neither `longjmp` nor an exception of C++ may leave it.
typedef int32_t (*sandbar_function)(struct sandbar_call *call,
                                    const struct sandbar_value *arguments,
                                    size_t arguments_count,
                                    void *user_data);

// A line about a call. It is there until the callback returns.
typedef struct sandbar_log_record {
  // How much it matters.
  sandbar_log_level level;
  // The plugin's name, UTF-8.
  struct sandbar_bytes plugin;
  // The call, 32 hexadecimal digits.
  struct sandbar_bytes call;
  // What was said, UTF-8 without control characters.
  struct sandbar_bytes message;
} sandbar_log_record;

// Takes lines, on whatever thread there is something to say, at one time on several. It must not block.
typedef void (*sandbar_log_callback)(const struct sandbar_log_record *record, void *user_data);

// Takes the receipt of each call as JSON, on the thread that ends it, at one time on several.
typedef void (*sandbar_receipts_callback)(struct sandbar_bytes receipt, void *user_data);

// Tries a version of a plugin before it takes calls. Gives null where it passes, otherwise what is against it, a text that stays at
// least until this thread calls the library again.
typedef const char *(*sandbar_self_test_callback)(const struct sandbar_plugin *plugin, void *user_data);

// A number, of the type that the function's form says.
typedef union sandbar_number {
  // Of an `i32` or `u32`.
  int32_t i32;
  // Of an `i64` or `u64`.
  int64_t i64;
  // Of an `f32`.
  float f32;
  // Of an `f64`.
  double f64;
} sandbar_number;

// Tells how a replacement went, on a thread of the library's: `error` is null where it went well, and is the library's.
typedef void (*sandbar_watch_callback)(const struct sandbar_error *error, void *user_data);

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

// Empties a buffer, and frees what memory of the library's is in it; null is none. It can be used again.
void sandbar_buffer_free_v1(struct sandbar_buffer *buffer);

// Gives the guest true or false.
sandbar_status sandbar_call_give_bool_v1(struct sandbar_call *call, bool value);

// Gives the guest an integer. One that its type has no room for ends the call.
sandbar_status sandbar_call_give_int_v1(struct sandbar_call *call, int64_t value);

// Gives the guest an integer without a sign.
sandbar_status sandbar_call_give_uint_v1(struct sandbar_call *call, uint64_t value);

// Gives the guest a float.
sandbar_status sandbar_call_give_float_v1(struct sandbar_call *call, double value);

// Gives a plugin of Extism a block of bytes, which are copied.
sandbar_status sandbar_call_give_bytes_v1(struct sandbar_call *call, const void *data, size_t length);

// Gives a component a value as JSON, which is copied.
sandbar_status sandbar_call_give_json_v1(struct sandbar_call *call, const char *json);

// Fails: the plugin's call ends as `SANDBAR_FAULT`, and the message is in its error and the log. Gives `SANDBAR_FAULT`, so that a
// function can return it.
sandbar_status sandbar_call_fail_v1(struct sandbar_call *call,
                                    const char *message);

// Refuses what the guest asked for: the plugin's call ends as `SANDBAR_REFUSED`, and its receipt names what was asked for. Gives
// `SANDBAR_REFUSED`.
sandbar_status sandbar_call_deny_v1(struct sandbar_call *call,
                                    const char *asked);

// Gives the pointer that the host gave to this call in `sandbar_call_options`, or null.
void *sandbar_call_context_v1(const struct sandbar_call *call);

// Writes the name of the call, 32 hexadecimal digits as in its receipt.
sandbar_status sandbar_call_id_v1(struct sandbar_call *call, struct sandbar_buffer *id);

// Gives the time at which the call has to have ended, in nanoseconds of `CLOCK_MONOTONIC`; all ones where there is none.
uint64_t sandbar_call_deadline_ns_v1(const struct sandbar_call *call);

// Copies bytes out of a core module's memory; they are charged to the call. Fails where they lie outside of it, or a limit is used up.
sandbar_status sandbar_call_read_v1(struct sandbar_call *call,
                                    uint32_t guest_pointer,
                                    void *to,
                                    uint32_t length);

// Copies bytes into a core module's memory; they are charged to the call. Fails where they would lie outside of it, or a limit is
// used up.
sandbar_status sandbar_call_write_v1(struct sandbar_call *call,
                                     uint32_t guest_pointer,
                                     const void *from,
                                     uint32_t length);

// Shows all of a core module's memory, to be read and written until the function returns; nothing is charged. The guest can
// change what it holds, but not at the same time. Fails where the guest exports no memory named `memory`, and for components.
sandbar_status sandbar_call_memory_v1(struct sandbar_call *call, uint8_t **data, size_t *length);

// Logs a line for the guest, within its limit of log bytes, at one of `SANDBAR_LOG_…`. Fails where the limit is used up.
sandbar_status sandbar_call_log_v1(struct sandbar_call *call, int32_t level, const char *message, size_t length);

// Calls an export with bytes, and blocks this thread: of a function over stdin and stdout its input. Writes what it gave, or the
// JSON of what a typed function gave, to `output`, which may be null.
sandbar_status sandbar_plugin_call_v1(const struct sandbar_plugin *plugin,
                                      const char *export_name,
                                      const void *input,
                                      size_t input_length,
                                      const struct sandbar_call_options *options,
                                      struct sandbar_buffer *output,
                                      struct sandbar_error **error);

// Calls an export with JSON: of a typed function its arguments, an array, an object of them by name, or the only one; of a function
// over stdin and stdout its input. Otherwise as `sandbar_plugin_call`.
sandbar_status sandbar_plugin_call_json_v1(const struct sandbar_plugin *plugin,
                                           const char *export_name,
                                           const void *input,
                                           size_t input_length,
                                           const struct sandbar_call_options *options,
                                           struct sandbar_buffer *output,
                                           struct sandbar_error **error);

// Makes one that no call was given yet. It is freed by `sandbar_cancel_free`.
struct sandbar_cancel *sandbar_cancel_new_v1(void);

// Ends the call that it was given to, and every later one that it is given to: within some milliseconds where the guest runs,
// at once where it waits. A function of the host that was called is not interrupted.
void sandbar_cancel_now_v1(const struct sandbar_cancel *cancel);

// Frees it; null is none. The calls that it was given to go on.
void sandbar_cancel_free_v1(struct sandbar_cancel *cancel);

// Gives the status that the function returned.
sandbar_status sandbar_error_status_v1(const struct sandbar_error *error);

// Gives the message: one line in most cases, lower case, no full stop. It lives as long as the error.
const char *sandbar_error_message_v1(const struct sandbar_error *error);

// Gives the number that the guest ended with where the status is `SANDBAR_FAILED`, and zero otherwise.
int32_t sandbar_error_code_v1(const struct sandbar_error *error);

// Gives the receipt of the call as JSON, or null where no call began. It lives as long as the error.
const char *sandbar_error_receipt_v1(const struct sandbar_error *error);

// Frees an error; null is none.
void sandbar_error_free_v1(struct sandbar_error *error);

// Sets a host up by options as JSON, or without where `options` is null. It is freed by `sandbar_host_free`.
//
// The keys are `cache` (a folder, or `false`), `compiler` (the path of `sandbar`, which then compiles in a process of its own),
// `sandboxes_max` and `interruption` (`"epochs"` or `"signals"`).
sandbar_status sandbar_host_new_v1(const char *options, struct sandbar_host **host, struct sandbar_error **error);

// Frees a host; null is none. Plugins that are there still keep what they need of it.
void sandbar_host_free_v1(struct sandbar_host *host);

// Is the compiler for the process that started this one, where the program's first argument asks for that, and gives what `main` has to
// return then; otherwise gives -1 and does nothing. A program that calls it first thing in `main`, with the count of its arguments
// and `argv[1]`, can be its own `compiler`.
int sandbar_compiler_main_v1(int arguments_count,
                             const char *first_argument);

// Gives the library's version, such as `0.1.0`. The text is there for ever.
const char *sandbar_version_v1(void);

// Loads a plugin from a file, binary or text, with terms or, where `terms` is null, with none. It is freed by
// `sandbar_plugin_free`.
sandbar_status sandbar_plugin_load_file_v1(const struct sandbar_host *host,
                                           const char *path,
                                           const struct sandbar_terms *terms,
                                           struct sandbar_plugin **plugin,
                                           struct sandbar_error **error);

// Loads a plugin from bytes, binary or text, which are copied. Otherwise as `sandbar_plugin_load_file`.
sandbar_status sandbar_plugin_load_bytes_v1(const struct sandbar_host *host,
                                            const void *wasm,
                                            size_t wasm_length,
                                            const struct sandbar_terms *terms,
                                            struct sandbar_plugin **plugin,
                                            struct sandbar_error **error);

// Loads a plugin by a manifest of Extism's in JSON, which says where its module is and what it may do; terms say more. Paths are
// seen from the folder `base` of the terms, or from where the process is. Otherwise as `sandbar_plugin_load_file`.
sandbar_status sandbar_plugin_load_extism_v1(const struct sandbar_host *host,
                                             const char *manifest,
                                             const struct sandbar_terms *terms,
                                             struct sandbar_plugin **plugin,
                                             struct sandbar_error **error);

// Replaces a plugin by a file: new calls go to the new version as soon as it has loaded and passed the self-test, those that run end
// on the old one. What can't be loaded changes nothing.
sandbar_status sandbar_plugin_replace_file_v1(const struct sandbar_plugin *plugin,
                                              const char *path,
                                              struct sandbar_error **error);

// Replaces a plugin by bytes, which are copied. Otherwise as `sandbar_plugin_replace_file`.
sandbar_status sandbar_plugin_replace_bytes_v1(const struct sandbar_plugin *plugin,
                                               const void *wasm,
                                               size_t wasm_length,
                                               struct sandbar_error **error);

// Goes back to the version before the last replacement, which is kept while the new one is on probation. Gives whether there was one.
bool sandbar_plugin_roll_back_v1(const struct sandbar_plugin *plugin);

// Writes what a plugin is as JSON: `name`, `digest`, and `exports`, the names of what can be called.
sandbar_status sandbar_plugin_describe_v1(const struct sandbar_plugin *plugin,
                                          struct sandbar_buffer *description,
                                          struct sandbar_error **error);

// Frees a plugin; null is none. No call of it may run or follow.
void sandbar_plugin_free_v1(struct sandbar_plugin *plugin);

// Names a status as receipts do: `done`, `stopped`, `load`. The text is there for ever.
const char *sandbar_status_name_v1(int32_t status);

// Makes terms from options as JSON, or from none where `options` is null: `name`, `grants`, `limits`, `config`, `sandbox` and so
// on. They are told wrong when a plugin is loaded.
sandbar_status sandbar_terms_new_v1(const char *options,
                                    struct sandbar_terms **terms,
                                    struct sandbar_error **error);

// Gives plugins a function under the module (`env`; the interface of a component's import) and the name that they import. `form`
// says what a core module gives and wants, such as `(i32, text) -> i64`; where it is null, whatever numbers the guest's import
// says. Components give one argument, a JSON array. `destructor` frees `user_data` when no plugin can call the function any more,
// also where this fails; it may be null.
sandbar_status sandbar_terms_function_v1(struct sandbar_terms *terms,
                                         const char *module,
                                         const char *name,
                                         const char *form,
                                         sandbar_function function,
                                         void *user_data,
                                         sandbar_destructor destructor,
                                         struct sandbar_error **error);

// Tells what plugins say, and what is said of them.
sandbar_status sandbar_terms_log_v1(struct sandbar_terms *terms,
                                    sandbar_log_callback log,
                                    void *user_data,
                                    sandbar_destructor destructor,
                                    struct sandbar_error **error);

// Tells the receipt of each call.
sandbar_status sandbar_terms_receipts_v1(struct sandbar_terms *terms,
                                         sandbar_receipts_callback receipts,
                                         void *user_data,
                                         sandbar_destructor destructor,
                                         struct sandbar_error **error);

// Tries each version of a plugin before it takes calls, the first one too.
sandbar_status sandbar_terms_self_test_v1(struct sandbar_terms *terms,
                                          sandbar_self_test_callback self_test,
                                          void *user_data,
                                          sandbar_destructor destructor,
                                          struct sandbar_error **error);

// Frees terms; null is none. Plugins that were loaded with them keep what they need.
void sandbar_terms_free_v1(struct sandbar_terms *terms);

// Finds a function of a core module by its name and form, such as `(i32, i64) -> f64`, or `(i32)` where it gives nothing. It may take
// up to two numbers of any types, or three or four of one type. The plugin has to be held. It is freed by `sandbar_typed_free`.
sandbar_status sandbar_plugin_typed_v1(const struct sandbar_plugin *plugin,
                                       const char *export_name,
                                       const char *form,
                                       struct sandbar_typed **typed,
                                       struct sandbar_error **error);

// Calls a function on this thread, with as many numbers as it takes. What it gives is written to `result`, which may be null.
sandbar_status sandbar_typed_call_v1(const struct sandbar_typed *typed,
                                     const union sandbar_number *arguments,
                                     size_t arguments_count,
                                     union sandbar_number *result,
                                     struct sandbar_error **error);

// Frees a function that was found; null is none.
void sandbar_typed_free_v1(struct sandbar_typed *typed);

// Replaces a plugin whenever a file changes, which is looked at four times a second and is loaded once it has been the same for a
// quarter of a second. `told` may be null. `destructor` frees `user_data` when the watch has ended, also where this fails.
sandbar_status sandbar_plugin_watch_v1(const struct sandbar_plugin *plugin,
                                       const char *path,
                                       sandbar_watch_callback told,
                                       void *user_data,
                                       sandbar_destructor destructor,
                                       struct sandbar_watch **watch,
                                       struct sandbar_error **error);

// Ends a watch, and waits for a replacement that is under way; null is none.
void sandbar_watch_free_v1(struct sandbar_watch *watch);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

// Functions by the names that this version of the header knows them by.
#define sandbar_buffer_free sandbar_buffer_free_v1
#define sandbar_call_context sandbar_call_context_v1
#define sandbar_call_deadline_ns sandbar_call_deadline_ns_v1
#define sandbar_call_deny sandbar_call_deny_v1
#define sandbar_call_fail sandbar_call_fail_v1
#define sandbar_call_give_bool sandbar_call_give_bool_v1
#define sandbar_call_give_bytes sandbar_call_give_bytes_v1
#define sandbar_call_give_float sandbar_call_give_float_v1
#define sandbar_call_give_int sandbar_call_give_int_v1
#define sandbar_call_give_json sandbar_call_give_json_v1
#define sandbar_call_give_uint sandbar_call_give_uint_v1
#define sandbar_call_id sandbar_call_id_v1
#define sandbar_call_log sandbar_call_log_v1
#define sandbar_call_memory sandbar_call_memory_v1
#define sandbar_call_read sandbar_call_read_v1
#define sandbar_call_write sandbar_call_write_v1
#define sandbar_cancel_free sandbar_cancel_free_v1
#define sandbar_cancel_new sandbar_cancel_new_v1
#define sandbar_cancel_now sandbar_cancel_now_v1
#define sandbar_compiler_main sandbar_compiler_main_v1
#define sandbar_error_code sandbar_error_code_v1
#define sandbar_error_free sandbar_error_free_v1
#define sandbar_error_message sandbar_error_message_v1
#define sandbar_error_receipt sandbar_error_receipt_v1
#define sandbar_error_status sandbar_error_status_v1
#define sandbar_host_free sandbar_host_free_v1
#define sandbar_host_new sandbar_host_new_v1
#define sandbar_plugin_call_json sandbar_plugin_call_json_v1
#define sandbar_plugin_call sandbar_plugin_call_v1
#define sandbar_plugin_describe sandbar_plugin_describe_v1
#define sandbar_plugin_free sandbar_plugin_free_v1
#define sandbar_plugin_load_bytes sandbar_plugin_load_bytes_v1
#define sandbar_plugin_load_extism sandbar_plugin_load_extism_v1
#define sandbar_plugin_load_file sandbar_plugin_load_file_v1
#define sandbar_plugin_replace_bytes sandbar_plugin_replace_bytes_v1
#define sandbar_plugin_replace_file sandbar_plugin_replace_file_v1
#define sandbar_plugin_roll_back sandbar_plugin_roll_back_v1
#define sandbar_plugin_typed sandbar_plugin_typed_v1
#define sandbar_plugin_watch sandbar_plugin_watch_v1
#define sandbar_status_name sandbar_status_name_v1
#define sandbar_terms_free sandbar_terms_free_v1
#define sandbar_terms_function sandbar_terms_function_v1
#define sandbar_terms_log sandbar_terms_log_v1
#define sandbar_terms_new sandbar_terms_new_v1
#define sandbar_terms_receipts sandbar_terms_receipts_v1
#define sandbar_terms_self_test sandbar_terms_self_test_v1
#define sandbar_typed_call sandbar_typed_call_v1
#define sandbar_typed_free sandbar_typed_free_v1
#define sandbar_version sandbar_version_v1
#define sandbar_watch_free sandbar_watch_free_v1

#endif  /* SANDBAR_H */
