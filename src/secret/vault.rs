//! Sealing at rest: AES-256-GCM under a versioned master key that is kept outside the database.
//!
//! A sealed value is bound to its place (table, row, column, the account it belongs to, key version) by additional
//! authenticated data. A ciphertext that was copied to another row does not open there, nor does one whose row was
//! assigned to another account. For every caller, this module raises the alarm in the log if a value does not open.

use crate::types::error::Error;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use secrecy::{ExposeSecret, SecretBox, SecretString};
use zeroize::Zeroizing;

use crate::types::id::Uin;
use crate::types::random;

const KEY_BYTES: usize = 32;
const NONCE_BYTES: usize = 12;

/// The reason why a value could not be sealed or opened. It says nothing about the contents.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// The sealed value is not text.
    #[error("a stored secret is not text")]
    NotText,
    /// The value is sealed under a version of the master key that this process does not have.
    #[error("sealed under master key version {0}, which is not in the master key given")]
    UnknownVersion(i64),
    /// The bytes are not what was sealed for this place.
    #[error("sealed {table}.{column} of row {row} does not open: altered, moved or sealed under another key")]
    DoesNotOpen {
        /// The table it was read from.
        table: &'static str,
        /// The row it was read from.
        row: String,
        /// The column it was read from.
        column: &'static str,
    },
    /// The cipher refused to encrypt (more than 64 GiB at once).
    #[error("too much to seal at once")]
    TooMuch,
}

impl From<VaultError> for Error {
    fn from(cause: VaultError) -> Self {
        Self::internal(cause)
    }
}

/// The error for a malformed master key.
#[derive(Debug, thiserror::Error)]
#[error("line {line} is not `version:key`, a number and 32 bytes in base64")]
pub struct MasterKeyFormat {
    line: usize,
}

/// The place of a sealed value, which opens only in the place it was sealed for.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// The table.
    pub table: &'static str,
    /// The row's ID.
    pub row: &'a str,
    /// The column.
    pub column: &'static str,
    /// The account that the row belongs to, if it belongs to one.
    pub owner: Option<Uin>,
}

/// A ciphertext, and the version of the master key that it is sealed under.
#[derive(Clone, Debug)]
pub struct Sealed {
    /// The version of the master key.
    pub key_version: i64,
    /// Nonce (12 bytes), ciphertext, tag (16 bytes).
    pub bytes: Vec<u8>,
}

type Keys = BTreeMap<i64, Arc<SecretBox<[u8; KEY_BYTES]>>>;

/// Reads the master key again. Returns `None` if that fails.
type Source = Box<dyn Fn() -> Option<SecretString> + Send + Sync>;

/// The master keys of this process. The newest one seals, and any of them opens.
pub struct Vault {
    keys: RwLock<Keys>,
    source: Option<Source>,
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vault").field("versions", &self.versions()).finish_non_exhaustive()
    }
}

impl Vault {
    /// Generates a master key, version 1, in the text form that [`Vault::parse`] reads.
    pub fn generate_master_key() -> SecretString {
        Self::generate_version(1)
    }

    /// Generates a key of this version, as a line of the text form.
    pub fn generate_version(version: i64) -> SecretString {
        let key = Zeroizing::new(random::bytes::<KEY_BYTES>());
        format!("{version}:{}\n", data_encoding::BASE64.encode(key.as_slice())).into()
    }

    /// Parses entries of the form `version:base64`, separated by newlines or commas. Skips empty ones and those that
    /// begin with `#`.
    pub fn parse(text: &SecretString) -> Result<Self, MasterKeyFormat> {
        Ok(Self { keys: RwLock::new(parse(text)?), source: None })
    }

    /// Adds a source from which the master key is read again when a version is missing: another process may have added
    /// it since.
    #[must_use]
    pub fn reading_again(self, source: impl Fn() -> Option<SecretString> + Send + Sync + 'static) -> Self {
        Self { source: Some(Box::new(source)), ..self }
    }

    /// The highest version.
    pub fn newest_version(&self) -> i64 {
        self.versions().last().copied().expect("a master key has at least one version")
    }

    /// Every version that this process has, in ascending order.
    pub fn versions(&self) -> Vec<i64> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner).keys().copied().collect()
    }

    /// Seals `plain` for `place` under the newest key.
    pub fn seal(&self, place: Place<'_>, plain: &[u8]) -> Result<Sealed, VaultError> {
        self.seal_under(self.newest_version(), place, plain)
    }

    /// Seals `plain` for `place` under the key of the given version.
    pub fn seal_under(&self, key_version: i64, place: Place<'_>, plain: &[u8]) -> Result<Sealed, VaultError> {
        let nonce = random::bytes::<NONCE_BYTES>();
        let aad = additional_data(place, key_version);
        let ciphertext = self
            .cipher(key_version)?
            .encrypt(&Nonce::from(nonce), Payload { msg: plain, aad: &aad })
            .map_err(|_| VaultError::TooMuch)?;
        Ok(Sealed { key_version, bytes: [nonce.as_slice(), &ciphertext].concat() })
    }

    /// Opens a value that was sealed for `place`. Logs an alarm if that fails.
    pub fn open(&self, place: Place<'_>, sealed: &Sealed) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        self.try_open(place, sealed).inspect_err(|error| {
            let Place { table, row, column, .. } = place;
            tracing::error!(%error, table, row, column, "ALARM: a stored secret does not open");
        })
    }

    /// Opens a value that is text.
    pub fn open_text(&self, place: Place<'_>, sealed: &Sealed) -> Result<SecretString, VaultError> {
        let bytes = self.open(place, sealed)?;
        let text = std::str::from_utf8(&bytes).map_err(|_| VaultError::NotText)?;
        Ok(text.to_owned().into())
    }

    /// Like [`Self::open`], but without the alarm, for callers that want to know whether a value opens.
    pub fn try_open(&self, place: Place<'_>, sealed: &Sealed) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        let does_not_open =
            || VaultError::DoesNotOpen { table: place.table, row: place.row.to_owned(), column: place.column };
        let cipher = self.cipher(sealed.key_version)?;
        let (nonce, ciphertext) = sealed.bytes.split_first_chunk::<NONCE_BYTES>().ok_or_else(does_not_open)?;
        let aad = additional_data(place, sealed.key_version);
        cipher
            .decrypt(&Nonce::from(*nonce), Payload { msg: ciphertext, aad: &aad })
            .map(Zeroizing::new)
            .map_err(|_| does_not_open())
    }

    fn cipher(&self, version: i64) -> Result<Aes256Gcm, VaultError> {
        let key = match self.held(version) {
            Some(key) => key,
            None => self.read_again(version).ok_or(VaultError::UnknownVersion(version))?,
        };
        Ok(Aes256Gcm::new(key.expose_secret().into()))
    }

    fn held(&self, version: i64) -> Option<Arc<SecretBox<[u8; KEY_BYTES]>>> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner).get(&version).cloned()
    }

    /// Adds the versions that the source has and this process does not. The others stay as they are, because values may
    /// still be sealed under them.
    fn read_again(&self, version: i64) -> Option<Arc<SecretBox<[u8; KEY_BYTES]>>> {
        let found = parse(&self.source.as_ref()?()?).ok()?;
        let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        for (version, key) in found {
            keys.entry(version).or_insert(key);
        }
        keys.get(&version).cloned()
    }
}

fn parse(text: &SecretString) -> Result<Keys, MasterKeyFormat> {
    let mut keys = Keys::new();
    for (index, line) in text.expose_secret().split(['\n', ',']).enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (version, key) = parse_line(line).ok_or(MasterKeyFormat { line: index + 1 })?;
        keys.insert(version, Arc::new(key));
    }
    if keys.is_empty() { Err(MasterKeyFormat { line: 1 }) } else { Ok(keys) }
}

/// The version in a line of a master key's text. `None` for an empty line or a comment.
pub fn version_of_line(line: &str) -> Option<i64> {
    parse_line(line.trim()).map(|(version, _)| version)
}

fn parse_line(line: &str) -> Option<(i64, SecretBox<[u8; KEY_BYTES]>)> {
    let (version, key) = line.split_once(':')?;
    let version = version.trim().parse().ok().filter(|version| *version > 0)?;
    let key = Zeroizing::new(data_encoding::BASE64.decode(key.trim().as_bytes()).ok()?);
    let key: [u8; KEY_BYTES] = key.as_slice().try_into().ok()?;
    Some((version, SecretBox::new(Box::new(key))))
}

/// The additional authenticated data. Each part is preceded by its length, so that no two places have the same
/// encoding.
fn additional_data(place: Place<'_>, key_version: i64) -> Vec<u8> {
    let version = key_version.to_string();
    let mut data = Vec::with_capacity(96);
    let owner = place.owner.map(|uin| uin.to_string()).unwrap_or_default();
    for part in [place.table, place.row, place.column, &owner, &version] {
        data.extend_from_slice(&(part.len() as u64).to_be_bytes());
        data.extend_from_slice(part.as_bytes());
    }
    data
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: Place<'static> =
        Place { table: "api_key", row: "AKID1", column: "secret", owner: Some(Uin(100_000_000_001)) };

    fn vault() -> Vault {
        Vault::parse(&Vault::generate_master_key()).unwrap()
    }

    #[test]
    fn opens_only_in_its_place_unaltered_and_under_its_key() {
        let vault = vault();
        let sealed = vault.seal(HERE, b"hush").unwrap();
        assert_eq!(vault.open(HERE, &sealed).unwrap().as_slice(), b"hush");

        assert!(vault.open(Place { row: "AKID2", ..HERE }, &sealed).is_err());
        assert!(vault.open(Place { column: "remark", ..HERE }, &sealed).is_err());
        assert!(vault.open(Place { owner: Some(Uin(100_000_000_002)), ..HERE }, &sealed).is_err());
        assert!(vault.open(Place { owner: None, ..HERE }, &sealed).is_err());
        assert!(super::tests::vault().open(HERE, &sealed).is_err());
        for at in 0..sealed.bytes.len() {
            let mut altered = sealed.clone();
            altered.bytes[at] ^= 1;
            assert!(vault.open(HERE, &altered).is_err(), "byte {at}");
            altered.bytes.truncate(at);
            assert!(vault.open(HERE, &altered).is_err(), "cut at {at}");
        }
    }

    #[test]
    fn a_master_key_names_its_faulty_line() {
        let faulty = |text: &str| Vault::parse(&text.to_owned().into()).unwrap_err().line;
        assert_eq!(faulty(""), 1);
        assert_eq!(faulty("# a note\nnot a key"), 2);
        assert_eq!(faulty("1:AAAA"), 1);
        assert_eq!(faulty("0:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="), 1);
    }

    #[test]
    fn an_unknown_version_is_looked_for_where_the_key_came_from() {
        let first = Vault::generate_master_key();
        let second = Vault::generate_version(2);
        let both: SecretString = format!("{}{}", first.expose_secret(), second.expose_secret()).into();
        let sealed = Vault::parse(&both).unwrap().seal(HERE, b"hush").unwrap();
        assert_eq!(sealed.key_version, 2);

        assert!(matches!(Vault::parse(&first).unwrap().open(HERE, &sealed), Err(VaultError::UnknownVersion(2))));
        let broken = Vault::parse(&first).unwrap().reading_again(|| Some("half a li".to_owned().into()));
        assert!(matches!(broken.open(HERE, &sealed), Err(VaultError::UnknownVersion(2))));
        // The old version is kept, although it is no longer in the source.
        let vault = Vault::parse(&first).unwrap().reading_again(move || Some(second.clone()));
        assert_eq!(vault.open(HERE, &sealed).unwrap().as_slice(), b"hush");
        assert_eq!(vault.versions(), [1, 2]);
    }

    #[test]
    fn debug_shows_no_key() {
        let text = Vault::generate_master_key();
        let shown = format!("{:?}", Vault::parse(&text).unwrap());
        assert_eq!(shown, "Vault { versions: [1], .. }");
    }
}
