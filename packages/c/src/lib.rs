//! The library for host programs in C, and in whatever else can call C: the plugins of `sandbar-embed` behind opaque handles.
//!
//! What a C compiler can't check is checked here: each function says which argument is null or out of form, and stops a panic.
//! What nobody can check, that a pointer points to what the header says, is believed in four modules only: `pointer`, `buffer`,
//! `callback` and `typed`. All others take references.
//!
//! A function's name ends with its version, `_v1`, and the header has a macro for the name without. A function or struct never
//! changes; what would, gets a new name beside the old one. Versions of the linker's own were refused: they are of one system,
//! and `dlsym`, static libraries and other languages don't see them.
//!
//! It must not know how plugins run. There is no global state.

pub mod buffer;
pub mod call;
pub mod callback;
pub mod calling;
pub mod cancel;
pub mod error;
pub mod host;
mod host_options;
pub mod log;
pub mod plugin;
mod pointer;
pub mod status;
pub mod terms;
pub mod typed;
pub mod value;
pub mod watch;

pub use {
    buffer::{Buffer, sandbar_buffer_free_v1},
    call::{
        Call, sandbar_call_context_v1, sandbar_call_deadline_ns_v1, sandbar_call_deny_v1, sandbar_call_fail_v1,
        sandbar_call_give_bool_v1, sandbar_call_give_bytes_v1, sandbar_call_give_float_v1, sandbar_call_give_int_v1,
        sandbar_call_give_json_v1, sandbar_call_give_uint_v1, sandbar_call_id_v1, sandbar_call_log_v1,
        sandbar_call_memory_v1, sandbar_call_read_v1, sandbar_call_write_v1,
    },
    calling::{CallOptions, sandbar_plugin_call_json_v1, sandbar_plugin_call_v1},
    cancel::{Cancel, sandbar_cancel_free_v1, sandbar_cancel_new_v1, sandbar_cancel_now_v1},
    error::{
        Error, sandbar_error_code_v1, sandbar_error_free_v1, sandbar_error_message_v1, sandbar_error_receipt_v1,
        sandbar_error_status_v1,
    },
    host::{Host, sandbar_compiler_main_v1, sandbar_host_free_v1, sandbar_host_new_v1, sandbar_version_v1},
    log::{LogLevel, LogRecord},
    plugin::{
        Plugin, sandbar_plugin_describe_v1, sandbar_plugin_free_v1, sandbar_plugin_load_bytes_v1,
        sandbar_plugin_load_extism_v1, sandbar_plugin_load_file_v1, sandbar_plugin_replace_bytes_v1,
        sandbar_plugin_replace_file_v1, sandbar_plugin_roll_back_v1,
    },
    status::{Status, sandbar_status_name_v1},
    terms::{
        Terms, sandbar_terms_free_v1, sandbar_terms_function_v1, sandbar_terms_log_v1, sandbar_terms_new_v1,
        sandbar_terms_receipts_v1, sandbar_terms_self_test_v1,
    },
    typed::{Number, Typed, sandbar_plugin_typed_v1, sandbar_typed_call_v1, sandbar_typed_free_v1},
    value::{Bytes, Value, ValueKind, ValueOf},
    watch::{Watch, sandbar_plugin_watch_v1, sandbar_watch_free_v1},
};
