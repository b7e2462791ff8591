//! Sealing at rest: AES-256-GCM under a versioned master key that is kept outside the database.
//!
//! What is sealed is bound to its place (table, row, column, key version) as additional authenticated data, so that a
//! ciphertext copied to another row does not open there.

use std::collections::BTreeMap;
use std::fmt;

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use secrecy::{ExposeSecret, SecretBox, SecretString};
use zeroize::Zeroizing;

use super::token;

const KEY_BYTES: usize = 32;
const NONCE_BYTES: usize = 12;

/// Why something could not be sealed or opened. Says nothing about the contents.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// Sealed under a master key version that was not given to this process.
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

/// Why a master key could not be read.
#[derive(Debug, thiserror::Error)]
#[error("line {line} is not `version:key`, a number and 32 bytes in base64")]
pub struct MasterKeyFormat {
    line: usize,
}

/// Where a sealed value lives; sealed and opened under the same place or not at all.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// Table.
    pub table: &'static str,
    /// The row's id.
    pub row: &'a str,
    /// Column.
    pub column: &'static str,
}

/// Ciphertext and the version of the master key it is under.
#[derive(Clone, Debug)]
pub struct Sealed {
    /// Version of the master key.
    pub key_version: i64,
    /// Nonce (12 bytes), ciphertext, tag (16 bytes).
    pub bytes: Vec<u8>,
}

/// The master keys of this process; the newest seals, any opens.
pub struct Vault {
    keys: BTreeMap<i64, SecretBox<[u8; KEY_BYTES]>>,
    newest: i64,
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vault").field("versions", &self.keys.keys()).finish_non_exhaustive()
    }
}

impl Vault {
    /// A new master key, version 1, in the text form that [`Vault::parse`] reads.
    pub fn generate_master_key() -> SecretString {
        let key = Zeroizing::new(token::bytes::<KEY_BYTES>());
        format!("1:{}\n", data_encoding::BASE64.encode(key.as_slice())).into()
    }

    /// Reads `version:base64` lines; empty lines and those with `#` in front are skipped.
    pub fn parse(text: &SecretString) -> Result<Self, MasterKeyFormat> {
        let mut keys = BTreeMap::new();
        for (index, line) in text.expose_secret().split(['\n', ',']).enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (version, key) = parse_line(line).ok_or(MasterKeyFormat { line: index + 1 })?;
            keys.insert(version, key);
        }
        let newest = *keys.keys().next_back().ok_or(MasterKeyFormat { line: 1 })?;
        Ok(Self { keys, newest })
    }

    /// The version that new seals are under.
    pub fn newest_version(&self) -> i64 {
        self.newest
    }

    /// Every version this process holds.
    pub fn versions(&self) -> impl Iterator<Item = i64> {
        self.keys.keys().copied()
    }

    /// Seals `plain` for `place` under the newest key.
    pub fn seal(&self, place: Place<'_>, plain: &[u8]) -> Result<Sealed, VaultError> {
        self.seal_under(self.newest, place, plain)
    }

    /// Seals under a given version, for the check value of each version.
    pub fn seal_under(&self, key_version: i64, place: Place<'_>, plain: &[u8]) -> Result<Sealed, VaultError> {
        let nonce = token::bytes::<NONCE_BYTES>();
        let aad = additional_data(place, key_version);
        let ciphertext = self
            .cipher(key_version)?
            .encrypt(&Nonce::from(nonce), Payload { msg: plain, aad: &aad })
            .map_err(|_| VaultError::TooMuch)?;
        Ok(Sealed { key_version, bytes: [nonce.as_slice(), &ciphertext].concat() })
    }

    /// Opens what was sealed for `place`.
    pub fn open(&self, place: Place<'_>, sealed: &Sealed) -> Result<Zeroizing<Vec<u8>>, VaultError> {
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
        let key = self.keys.get(&version).ok_or(VaultError::UnknownVersion(version))?;
        Ok(Aes256Gcm::new(key.expose_secret().into()))
    }
}

fn parse_line(line: &str) -> Option<(i64, SecretBox<[u8; KEY_BYTES]>)> {
    let (version, key) = line.split_once(':')?;
    let version = version.trim().parse().ok().filter(|version| *version > 0)?;
    let key = Zeroizing::new(data_encoding::BASE64.decode(key.trim().as_bytes()).ok()?);
    let key: [u8; KEY_BYTES] = key.as_slice().try_into().ok()?;
    Some((version, SecretBox::new(Box::new(key))))
}

/// Length before each part, so that no two places share one text.
fn additional_data(place: Place<'_>, key_version: i64) -> Vec<u8> {
    let version = key_version.to_string();
    let mut data = Vec::with_capacity(96);
    for part in [place.table, place.row, place.column, &version] {
        data.extend_from_slice(&(part.len() as u64).to_be_bytes());
        data.extend_from_slice(part.as_bytes());
    }
    data
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: Place<'static> = Place { table: "api_key", row: "AKID1", column: "secret" };

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
    fn debug_shows_no_key() {
        let text = Vault::generate_master_key();
        let shown = format!("{:?}", Vault::parse(&text).unwrap());
        assert_eq!(shown, "Vault { versions: [1], .. }");
    }
}
