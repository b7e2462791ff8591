//! Integration tests that use the product as its users do: through the real routers on free ports, or the real binary,
//! with a real database.
//!
//! The files mirror the routes. Every test that uses the database runs on SQLite and on PostgreSQL; `scripts/test`
//! starts the latter.

#![expect(unreachable_pub, reason = "a test binary has no outside")]

// `#[apply(on_both_engines!)]`
#[macro_use(apply)]
extern crate macro_rules_attribute;

#[macro_use]
mod support;

mod access;
mod actions;
mod address;
mod api;
mod audit;
mod backup;
mod bodies;
mod cli;
mod command_line;
mod compression;
mod connections;
mod crash;
mod cross_site;
mod errors;
mod freshness;
mod guard;
mod guide;
mod health;
mod history;
mod key_commands;
mod key_page;
mod keys;
mod languages;
mod leases;
mod leftovers;
mod login;
mod metrics;
mod outage;
mod output;
mod pages;
mod passkeys;
mod preferences;
mod records;
mod refused;
mod rotation;
mod sealed;
mod security;
mod serve;
mod settings;
mod setup;
mod signers;
mod tls;
mod usage;
