//! The command line: arguments, output, exit codes, and nothing else.

#![forbid(unsafe_code)]

mod arguments;
mod commands;
mod console;
mod failure;
mod grants;
mod host;
mod limits;
mod outcome;
mod terms;

use arguments::{Arguments, Command};
use clap::Parser;
use console::Console;
use std::{env, process::ExitCode};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    if env::args_os().nth(1).is_some_and(|first| first == sandbar_engine::COMPILER_ARGUMENT) {
        return sandbar_engine::compiler_main();
    }
    let arguments = Arguments::parse();
    let console = Console::new(arguments.json);
    let done = match arguments.command {
        Command::Up(up) => commands::up::run(up, &console),
        Command::Run(run) => commands::run::run(run, &console),
        Command::Call(call) => commands::call::run(call, &console),
        Command::Inspect(inspect) => commands::inspect::run(&inspect, &console),
        Command::Types(types) => commands::types::run(&types, &console),
        Command::Compile(compile) => commands::compile::run(&compile, &console),
        Command::Plugins(plugins) => commands::plugins::run(&plugins, &console),
        Command::Receipts(receipts) => commands::receipts::run(&receipts, &console),
        Command::Schema(schema) => commands::schema::run(&schema, &console),
        Command::Completions(completions) => commands::completions::run(&completions),
    };
    done.unwrap_or_else(|failure| console.fail(&failure))
}
