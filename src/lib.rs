//! Latchkey: a self-hosted console for API key pairs, and the server that checks every request signed with them.
//!
//! A module imports only from the modules below it. From the top: [`cli`] and [`serve`]; [`console`] for people and
//! [`entry`] for programs; the domain, [`keys`] and [`account`], with the operator's tasks in [`operate`]; [`app`],
//! which holds the parts of a running server; [`check`], which checks signed requests; [`audit`], [`throttle`],
//! [`config`]; [`db`] with all SQL; [`signature`], [`secret`] and [`http`]; and [`types`] at the bottom.
//! `docs/architecture.md` gives the full order, and `tests/house.rs` enforces it.

// All output goes through `cli::output`, because these macros panic if they cannot write.
#![deny(clippy::print_stdout, clippy::print_stderr)]

/// In the C library's allocator, the few dozen small allocations of a request take a tenth of its time.
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
