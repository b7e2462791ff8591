//! The error of a command or the server: [`StartError`].
//!
//! Everything that opens, starts or runs something from the command line returns it, so it imports only the domain's
//! error. Causes from other modules are kept as text or as a boxed error.

use std::error::Error as Cause;
use std::net::SocketAddr;
use std::path::PathBuf;

use crate::types::error::Error;

/// The reason why the program does not start, or why a command fails, in one line that says what is wrong and what to
/// do.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("cannot read the settings file {path}: {cause}")]
    ConfigFile { path: String, cause: String },
    #[error("{0}")]
    Setting(String),
    #[error("cannot use the data directory {path}: {cause}; create it, or choose another with --data-dir")]
    DataDir { path: String, cause: std::io::Error },
    #[error("cannot open the database file {path}: {cause}; it must belong to the user that the server runs as")]
    DatabaseFile { path: String, cause: std::io::Error },
    #[error("cannot open the database {database}: {cause}")]
    Database { database: String, cause: Box<dyn Cause + Send + Sync> },
    #[error("cannot read the master key {path}: {cause}")]
    MasterKeyFile { path: String, cause: std::io::Error },
    #[error(
        "the database was sealed under a master key, and {path} does not exist; put the key back, or say where it is \
         with --master-key-file or LATCHKEY_MASTER_KEY"
    )]
    MasterKeyMissing { path: String },
    #[error(
        "the database was sealed under a master key: there is no credential latchkey.master.key in {directory}, and no \
         {path}; add it to the service (LoadCredential=), or say where it is with --master-key-file"
    )]
    CredentialMissing { path: String, directory: String },
    #[error(
        "cannot change the master key {path}: {cause}; run this as its owner, or add a line for the next version by hand, \
         restart every server, and run this again"
    )]
    MasterKeyUnwritable { path: String, cause: std::io::Error },
    #[error("the master key is malformed: {0}")]
    MasterKeyFormat(String),
    #[error(
        "the master key is not the one this database was sealed under (version {version}); give the right one with \
         --master-key-file or LATCHKEY_MASTER_KEY"
    )]
    WrongMasterKey { version: i64 },
    #[error("cannot read the tokens for /v1/verify in {path}: {cause}")]
    VerifyTokens { path: String, cause: String },
    #[error("cannot listen on {address} ({what}): {cause}; free the port, or choose another with --{what}")]
    Bind { what: &'static str, address: SocketAddr, cause: std::io::Error },
    #[error("cannot use {file} for TLS: {cause}; check --tls-cert and --tls-key", file = .file.display())]
    Tls { file: PathBuf, cause: Box<dyn Cause + Send + Sync> },
    #[error("a part of the server ended by itself, which is a defect; please report the log's last lines")]
    ListenerEnded,
    #[error("the audit chain is broken at record {number}: {how}")]
    AuditBroken { number: i64, how: String },
    #[error(
        "there is no database at {database}, but its master key is there: {key}; put the database back (a backup with \
         `latchkey restore`), or move the key away to begin with a new installation"
    )]
    DatabaseLost { database: String, key: String },
    #[error("{0}")]
    Domain(#[from] Error),
    #[error("whoever read the output has gone")]
    ReaderGone,
    #[error("{what}: {cause}")]
    Io { what: &'static str, cause: std::io::Error },
}
