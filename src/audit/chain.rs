//! Appending to the audit chain, and verifying it.
//!
//! Invariant: a record is appended in the transaction of the operation that it records. Each record's MAC covers the
//! MAC before it, so an altered, removed, inserted or moved record is detected. The head, which is kept apart from the
//! records, reveals that the end was cut off.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::event::Event;
use crate::db::audit::{self as db, AuditRow, Entry};
use crate::db::{Db, Tx};
use crate::types::clock::Clock;
use crate::types::error::Error;
use crate::types::event::{Action, Origin};

/// Appends to the audit chain, and verifies it.
#[derive(Clone)]
pub struct AuditLog {
    key: Zeroizing<Vec<u8>>,
    clock: Clock,
}

impl std::fmt::Debug for AuditLog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AuditLog")
    }
}

/// The result of verifying the chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// All records are as they were written.
    Intact {
        /// The number of records.
        records: i64,
        /// The last MAC in hexadecimal. If it is noted elsewhere, it shows later that the chain was not cut off and
        /// rewritten.
        head: String,
    },
    /// A record is not as it was written, or is missing.
    Broken {
        /// The number of the first such record.
        number: i64,
        /// The kind of damage: `altered`, `missing` …
        how: String,
    },
}

impl Verdict {
    fn broken(number: i64, how: &str) -> Self {
        Self::Broken { number, how: how.to_owned() }
    }
}

impl AuditLog {
    /// Creates the log with the chain's key.
    pub fn new(key: Zeroizing<Vec<u8>>, clock: Clock) -> Self {
        Self { key, clock }
    }

    /// Appends a record within `tx`.
    pub async fn append(&self, tx: &mut Tx, origin: &Origin, event: Event) -> Result<(), Error> {
        let (number, previous) = db::advance(tx).await?;
        let mut row = AuditRow {
            number,
            format: FORMAT,
            at: self.clock.now(),
            uin: event.uin,
            actor: origin.actor.as_str().to_owned(),
            actor_key: origin.actor.key().map(ToString::to_string),
            action: event.action.as_str().to_owned(),
            target: event.target,
            address: origin.address.map(|address| address.to_string()),
            request_id: origin.request_id.map(|id| id.to_string()),
            result: event.outcome.as_str().to_owned(),
            detail: event.detail.map(|detail| detail.as_str().to_owned()),
            mac: Vec::new(),
        };
        row.mac = self.mac(previous.as_deref(), &row)?.ok_or_else(|| Error::internal("unknown format of a record"))?;
        Ok(db::insert(tx, &row).await?)
    }

    /// Reads the whole chain and says whether it is intact, or where it first is not.
    ///
    /// `noted` is the number and the head (in hexadecimal) that an earlier verification printed. If the chain and its
    /// head were cut back together, only a noted head reveals it, unless an account or a key was created after the
    /// records that are left.
    pub async fn verify(&self, database: &Db, noted: Option<(i64, &str)>) -> Result<Verdict, Error> {
        // Read the head before the records, so that a record appended in the meantime is extra and never taken for a
        // missing one.
        let Some((head_number, head_mac)) = db::head(database).await? else {
            return Ok(Verdict::broken(0, "the head of the chain is missing or cannot be read"));
        };
        let mut walk = Walk { audit: self, noted, number: 0, mac: None, at_head: None };
        if let Some(broken) = walk.walk_to_end(database, head_number).await? {
            return Ok(broken);
        }
        let (next, at_head) = (walk.number + 1, walk.at_head);
        if next <= head_number {
            return Ok(Verdict::broken(next, "missing: the end of the chain was cut off"));
        }
        if at_head != head_mac {
            return Ok(Verdict::broken(head_number, "not the end of the chain that was noted"));
        }
        if noted.is_some_and(|(number, _)| number > head_number) {
            return Ok(Verdict::broken(next, "missing: the chain was longer when it was noted"));
        }
        if let Some(number) = db::stray(database).await? {
            return Ok(Verdict::broken(number, "not part of the chain: put there by hand"));
        }
        let (account, key) = (Action::AccountCreated.as_str(), Action::KeyCreated.as_str());
        if let Some(what) = db::untold(database, account, key).await? {
            let how = format!(
                "missing: no record tells of the creation of {what}; the chain was cut back together with its head, or that \
                 was put there by hand"
            );
            return Ok(Verdict::Broken { number: next, how });
        }
        let head = data_encoding::HEXLOWER.encode(&head_mac.unwrap_or_default());
        Ok(Verdict::Intact { records: head_number, head })
    }

    /// Computes a record's MAC. Returns `None` for a format that only another version knows.
    fn mac(&self, previous: Option<&[u8]>, row: &AuditRow) -> Result<Option<Vec<u8>>, Error> {
        if row.format != FORMAT {
            return Ok(None);
        }
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key).map_err(Error::internal)?;
        mac.update(&authenticated(previous.unwrap_or(&[0; 32]), row));
        Ok(Some(mac.finalize().into_bytes().to_vec()))
    }
}

/// The only format so far in which records are authenticated. Another column requires another format; records of this
/// one stay valid.
const FORMAT: i64 = 1;

/// The bytes that a record's MAC covers. Before each part comes whether it is present and how long it is, so that no
/// two records have the same encoding. Numbers have eight bytes, in big-endian order.
fn authenticated(previous: &[u8], row: &AuditRow) -> Vec<u8> {
    let [format, number, at] = [row.format, row.number, row.at.0].map(i64::to_be_bytes);
    let uin = row.uin.map(|uin| uin.0.to_be_bytes());
    let parts: [Option<&[u8]>; 14] = [
        Some(b"latchkey audit record"),
        Some(&format),
        Some(previous),
        Some(&number),
        Some(&at),
        uin.as_ref().map(<[u8; 8]>::as_slice),
        Some(row.actor.as_bytes()),
        row.actor_key.as_ref().map(String::as_bytes),
        Some(row.action.as_bytes()),
        row.target.as_ref().map(String::as_bytes),
        row.address.as_ref().map(String::as_bytes),
        row.request_id.as_ref().map(String::as_bytes),
        Some(row.result.as_bytes()),
        row.detail.as_ref().map(String::as_bytes),
    ];
    let mut data = Vec::with_capacity(384);
    for part in parts {
        data.push(u8::from(part.is_some()));
        if let Some(part) = part {
            data.extend_from_slice(&(part.len() as u64).to_be_bytes());
            data.extend_from_slice(part);
        }
    }
    data
}

/// The progress of [`AuditLog::verify`].
struct Walk<'a> {
    audit: &'a AuditLog,
    noted: Option<(i64, &'a str)>,
    /// The last record that was verified, and its MAC.
    number: i64,
    mac: Option<Vec<u8>>,
    /// The MAC of the record that was the last when the verification began.
    at_head: Option<Vec<u8>>,
}

impl Walk<'_> {
    /// Verifies every record. Returns the first that is not as it was written.
    async fn walk_to_end(&mut self, database: &Db, head_number: i64) -> Result<Option<Verdict>, Error> {
        const PAGE: i64 = 1000;
        loop {
            let page = db::entries(database, self.number, PAGE).await?;
            if page.is_empty() {
                return Ok(None);
            }
            for entry in page {
                if let Some(broken) = self.step(entry, head_number)? {
                    return Ok(Some(broken));
                }
            }
        }
    }

    fn step(&mut self, Entry { number, row }: Entry, head_number: i64) -> Result<Option<Verdict>, Error> {
        let expected = self.number + 1;
        if number != expected {
            let how = if number < expected { "there twice" } else { "missing" };
            return Ok(Some(Verdict::broken(number.min(expected), how)));
        }
        let Ok(row) = row else { return Ok(Some(Verdict::broken(number, "altered: it cannot be read"))) };
        let Some(mac) = self.audit.mac(self.mac.as_deref(), &row)? else {
            return Ok(Some(Verdict::broken(number, "altered, or written by a newer version of Latchkey")));
        };
        if mac != row.mac {
            return Ok(Some(Verdict::broken(number, "altered, or not by this installation")));
        }
        if self.noted.is_some_and(|(noted, head)| noted == number && data_encoding::HEXLOWER.encode(&mac) != head) {
            return Ok(Some(Verdict::broken(number, "not the record that was noted")));
        }
        if number == head_number {
            self.at_head = Some(mac.clone());
        }
        self.number = number;
        self.mac = Some(mac);
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::clock::Timestamp;
    use crate::types::id::Uin;

    /// The format in which records are authenticated does not change, because the MACs of existing records must stay
    /// valid. Another program has computed the expected values.
    #[test]
    fn a_record_has_this_mac() {
        let audit = AuditLog::new(Zeroizing::new((0..32).collect()), Clock::manual(Timestamp(0)));
        let row = AuditRow {
            number: 7,
            format: 1,
            at: Timestamp(1_800_000_000_123),
            uin: Some(Uin(100_000_000_001)),
            actor: "key".to_owned(),
            actor_key: Some("AKIDz8krbsJ5yKBZQpn74WFkmLPx3gnPhESA".to_owned()),
            action: "key.disable".to_owned(),
            target: None,
            address: Some("2001:db8::1".to_owned()),
            request_id: Some("00000000-0000-4000-8000-000000000000".to_owned()),
            result: "done".to_owned(),
            detail: None,
            mac: Vec::new(),
        };
        let mac =
            |previous: Option<&[u8]>| data_encoding::HEXLOWER.encode(&audit.mac(previous, &row).unwrap().unwrap());
        assert_eq!(mac(None), "59cd090662573f77166fb824096784b10b7b9f9ae1065def7397ae2f44957a9f");
        assert_eq!(mac(Some(&[0xab; 32])), "d09c4e644afd12a86ab663da0c1ff4a1f814da92283395bbbd88eb8b652b1e38");
        let newer = AuditRow { format: 2, ..row.clone() };
        assert_eq!(audit.mac(None, &newer).unwrap(), None);
    }
}
