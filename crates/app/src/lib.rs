//! The app: what a manifest says, wired together.
//!
//! This crate owns the word **app** and the ledger of **receipts**; it is the only place that sees both triggers and engine.
//! It must not know the command line, nor print: what there is to tell goes out as notices.

#![forbid(unsafe_code)]

mod app;
mod error;
pub mod ledger;
pub mod manifest;
pub mod metrics;
mod notice;
#[cfg(target_os = "linux")]
mod reach;
mod watch;
mod wiring;

pub use {
    app::App,
    error::AppError,
    notice::{Notice, Notices},
    watch::{LOOK, Watch},
};
