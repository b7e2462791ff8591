//! Latchkey: a self-hosted console for API key pairs, and the server that checks every request signed with them.
//!
//! ```text
//! main, cli → serve → { web, api, guard } → { account, api_key, verifier, audit, records, usage, throttle } → { registry, db }
//!                                                                              → { signature, secret, id, clock, language, error }
//! ```
//!
//! Whoever looks for something finds it by the file's name: [`web`] is the console, [`api`] the signed API,
//! [`api_key`] the pair's life, [`account`] signing in, [`verifier`] the one check behind every door, [`signature`] the
//! pure check of a signature, [`secret`] what is secret and how it is sealed, [`db`] all SQL.

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
pub mod master_key;
pub mod metrics;
pub mod operate;
pub mod scratch;
pub mod secret;
pub mod serve;
pub mod signature;
pub mod start_error;
pub mod telemetry;
pub mod texts;
pub mod throttle;
pub mod types;
