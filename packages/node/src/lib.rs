//! Plugins in a Node.js process: the addon below the npm package `sandbar`.
//!
//! A guest never runs while JavaScript waits for it, unless JavaScript said so by `callSync`: it runs on threads of its own
//! (`pool`), and what it comes to travels to the JavaScript thread by its `desk`. A function of the host is asked for on
//! the way of its call (`route`): at the desk, or right on the JavaScript thread where that waits for the call (`here`). It
//! is always asked from outside of the guest's own stack, since V8 does not run on another stack than its thread's.
//!
//! What is shown to JavaScript is written in JavaScript (`lib/`), and this crate is not for anybody else: texts of JSON pass
//! through it as they are. It must not know what a user of the package sees.

#![deny(unsafe_code)]
#![allow(unreachable_pub, reason = "what JavaScript sees has to be public, and nobody else sees it")]
#![cfg_attr(
    test,
    allow(dead_code, reason = "nobody calls what is not shown to JavaScript, and in a test build nothing is")
)]

mod call;
mod desk;
mod error;
mod form;
mod functions;
mod here;
mod host;
mod load;
mod plugin;
mod pool;
mod route;
mod scratch;
mod values;
