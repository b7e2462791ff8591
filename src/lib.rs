//! Latchkey: a self-hosted console for API key pairs, and the server that checks every request signed with them.
//!
//! A room imports only from the rooms below it. From the top: [`cli`] and [`serve`]; [`console`] for people and [`entry`] for
//! programs; the domain, [`keys`] and [`account`], with what operators do in [`operate`]; [`app`], which holds the parts;
//! [`check`], which decides about signed requests; [`audit`], [`throttle`], [`config`]; [`db`] with all SQL; [`signature`],
//! [`secret`] and [`http`]; and [`types`] at the bottom. `docs/architecture.md` has the whole picture, and `tests/house.rs`
//! holds the code to it.

// What is printed goes through `cli::output`: these panic where nothing can be written.
#![deny(clippy::print_stdout, clippy::print_stderr)]

/// A request's few dozen small allocations take a tenth of its time in the C library's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

pub mod account;
pub mod app;
pub mod audit;
pub mod check;
pub mod cli;
pub mod config;
pub mod console;
pub mod db;
pub mod entry;
pub mod http;
pub mod keys;
mod master_key;
pub mod metrics;
pub mod operate;
mod scratch;
pub mod secret;
pub mod serve;
pub mod signature;
mod start_error;
mod telemetry;
pub mod texts;
pub mod throttle;
pub mod types;
