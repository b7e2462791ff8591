//! The files that the settings refer to: the data directory, the database and the tokens for `/v1/verify`.

use std::fs::{DirBuilder, OpenOptions};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::PathBuf;

use secrecy::ExposeSecret as _;
use zeroize::Zeroizing;

use super::settings::Settings;
use crate::db::{self, Db, OpenError};
use crate::scratch;
use crate::secret::token::TokenDigest;
use crate::start_error::StartError;

const DATABASE_FILE: &str = "latchkey.db";
const SHORTEST_TOKEN: usize = 16;

impl Settings {
    /// The path of the embedded database's file, whether it exists or not. `None` for PostgreSQL.
    pub(crate) fn database_file(&self) -> Result<Option<PathBuf>, StartError> {
        match &self.database {
            None => Ok(Some(self.data_dir.join(DATABASE_FILE))),
            Some(url) => db::backup::file_of(url.expose_secret()).map_err(|cause| self.could_not_open(cause)),
        }
    }

    /// Returns an error if the embedded database does not exist. For operations that make no sense without a database.
    pub(crate) fn need_database(&self) -> Result<(), StartError> {
        match self.database_file()? {
            Some(file) if !file.exists() => {
                Err(StartError::Setting(format!("there is no database at {}", file.display())))
            }
            _ => Ok(()),
        }
    }

    /// Returns an error if there is a master key that was created here, but not the database that was created before
    /// it. Creating another database would hide that the first one is lost.
    fn check_not_lost(&self) -> Result<(), StartError> {
        match (self.database_file()?, self.own_master_key()) {
            (Some(file), Some(key)) if !file.exists() => {
                Err(StartError::DatabaseLost { database: file.display().to_string(), key: key.display().to_string() })
            }
            _ => Ok(()),
        }
    }

    /// Opens the database if it exists, and leaves its schema as it is.
    pub(crate) async fn existing_database(&self) -> Result<Db, StartError> {
        self.need_database()?;
        let opened = match (self.database_file()?, &self.database) {
            (Some(file), _) => Db::open_file(&file).await,
            (None, url) => Db::open_existing(url.as_ref().map_or("", |url| url.expose_secret())).await,
        };
        opened.map_err(|cause| self.could_not_open(cause))
    }

    pub(crate) fn could_not_open(&self, cause: OpenError) -> StartError {
        StartError::Database { database: self.database_for_people(), cause: cause.into() }
    }

    /// The database's address. For the embedded one, creates the data directory, which only its owner may enter, and
    /// the file.
    pub(crate) fn database_url(&self) -> Result<String, StartError> {
        self.check_not_lost()?;
        if let Some(url) = &self.database {
            return Ok(url.expose_secret().to_owned());
        }
        self.make_data_dir()?;
        scratch::remove_left_files(&self.data_dir);
        let file = self.data_dir.join(DATABASE_FILE);
        OpenOptions::new()
            .mode(0o600)
            .create(true)
            .append(true)
            .open(&file)
            .map_err(|cause| StartError::DatabaseFile { path: file.display().to_string(), cause })?;
        Ok(format!("sqlite:{}", file.display()))
    }

    /// The database's address for messages, which never contains a password.
    pub(crate) fn database_for_people(&self) -> String {
        match &self.database {
            None => self.data_dir.join(DATABASE_FILE).display().to_string(),
            Some(url) => {
                db::address::for_people(url.expose_secret()).unwrap_or_else(|| "given with --database".to_owned())
            }
        }
    }

    /// The digests of the tokens that callers of `/v1/verify` present; none if that entry point is off.
    pub(crate) fn verify_tokens(&self) -> Result<Vec<TokenDigest>, StartError> {
        let Some(file) = &self.verify_token_file else { return Ok(Vec::new()) };
        let path = file.display().to_string();
        let text = std::fs::read_to_string(file).map(Zeroizing::new);
        let text = text.map_err(|cause| StartError::VerifyTokens { path: path.clone(), cause: cause.to_string() })?;
        let tokens: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        if tokens.is_empty() || tokens.iter().any(|token| token.len() < SHORTEST_TOKEN) {
            let cause = format!("it must have a token of at least {SHORTEST_TOKEN} characters on each line");
            return Err(StartError::VerifyTokens { path, cause });
        }
        Ok(tokens.into_iter().map(TokenDigest::of).collect())
    }

    pub(crate) fn make_data_dir(&self) -> Result<(), StartError> {
        let failed = |cause| StartError::DataDir { path: self.data_dir.display().to_string(), cause };
        DirBuilder::new().recursive(true).mode(0o700).create(&self.data_dir).map_err(failed)
    }
}
