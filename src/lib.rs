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
pub mod api;
pub mod api_key;
pub mod audit;
pub mod backup;
pub mod body;
pub mod call_rates;
pub mod cli;
pub mod clock;
pub mod config;
pub mod connections;
pub mod db;
pub mod error;
pub mod guard;
pub mod id;
pub mod language;
pub mod master_key;
pub mod metrics;
pub mod readiness;
pub mod records;
pub mod registry;
pub mod requests;
pub mod scratch;
pub mod secret;
pub mod serve;
pub mod signature;
pub mod state;
pub mod subscriber;
pub mod telemetry;
pub mod throttle;
pub mod usage;
pub mod verifier;
pub mod web;
