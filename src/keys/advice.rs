//! Advice for the owner: keys that are old or unused, and recovery codes that run low. Advice is not stored; it is
//! derived from the account's state and the current time.

use crate::account::owner::Owner;
use crate::account::{credentials, passkeys};
use crate::app::App;
use crate::db::accounts::AccountRow;
use crate::db::api_keys::ApiKeyRow;
use crate::keys::lifecycle;
use crate::keys::recent_use::DAY;
use crate::types::clock::Timestamp;
use crate::types::error::Error;
use crate::types::id::SecretId;
use crate::types::key_state::KeyState;

/// The age, in days, from which a key should be replaced.
pub const ROTATE_AFTER_DAYS: i64 = 90;
/// The time without use, in days, after which a key is perhaps not needed.
const UNUSED_DAYS: i64 = 90;
/// The time, in days, that a new key may wait for its first call.
const FIRST_USE_WITHIN_DAYS: i64 = 1;
/// The number of recovery codes that counts as too few.
const FEW_RECOVERY_CODES: i64 = 3;
/// With so few recovery codes, or fewer, it is urgent to generate new ones.
const LAST_RECOVERY_CODES: i64 = 1;

/// The number of whole days from `since` to `now`.
pub fn days(since: Timestamp, now: Timestamp) -> i64 {
    i64::try_from(now.since(since).as_secs() / DAY.as_secs()).unwrap_or(i64::MAX)
}

/// A piece of advice for the owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Advice {
    /// The key is more than a day old and has never been used.
    NeverUsed(SecretId),
    /// The key has not been used for this number of days.
    Unused(SecretId, i64),
    /// The key's age, in days.
    Old(SecretId, i64),
    /// The account has the maximum number of keys, and this one is disabled.
    FullWithDisabled(SecretId),
    /// The account has the maximum number of keys, all enabled; this is the oldest.
    Full(SecretId),
    /// Only this number of recovery codes is left.
    FewRecoveryCodes(i64),
    /// The owner has only one device to sign in with.
    OneDevice,
}

impl Advice {
    /// Returns `true` if the owner may be locked out by not following it.
    pub fn is_urgent(&self) -> bool {
        matches!(self, Self::FewRecoveryCodes(left) if *left <= LAST_RECOVERY_CODES)
    }
}

/// The state that the advice is derived from.
struct Situation<'a> {
    /// The account's keys, oldest first.
    keys: &'a [ApiKeyRow],
    recovery_codes: i64,
    /// The number of devices that the owner can sign in with: the authenticator and the passkeys.
    devices: usize,
    now: Timestamp,
}

impl Situation<'_> {
    fn advice(&self) -> Vec<Advice> {
        let enabled = self.keys.iter().filter(|key| key.state == KeyState::Enabled);
        let mut advice: Vec<Advice> = enabled.filter_map(|key| of_key(key, self.now)).collect();
        if self.keys.len() >= lifecycle::LIMIT {
            let disabled = self.keys.iter().find(|key| key.state == KeyState::Disabled);
            let oldest = self.keys.first().map(|key| Advice::Full(key.secret_id.clone()));
            advice.extend(disabled.map(|key| Advice::FullWithDisabled(key.secret_id.clone())).or(oldest));
        }
        if self.recovery_codes <= FEW_RECOVERY_CODES {
            advice.push(Advice::FewRecoveryCodes(self.recovery_codes));
        }
        if self.devices < 2 {
            advice.push(Advice::OneDevice);
        }
        advice
    }
}

/// The advice for one key, at most one piece: a key that is not used need not be replaced.
fn of_key(key: &ApiKeyRow, now: Timestamp) -> Option<Advice> {
    let (id, age) = (key.secret_id.clone(), days(key.created_at, now));
    match key.last_used_at {
        None => (age >= FIRST_USE_WITHIN_DAYS).then_some(Advice::NeverUsed(id)),
        Some(used) if days(used, now) >= UNUSED_DAYS => Some(Advice::Unused(id, days(used, now))),
        Some(_) => (age >= ROTATE_AFTER_DAYS).then_some(Advice::Old(id, age)),
    }
}

/// The advice for the account with these keys, oldest first.
pub async fn advice(app: &App, owner: &Owner, account: &AccountRow, keys: &[ApiKeyRow]) -> Result<Vec<Advice>, Error> {
    let passkeys = passkeys::list(app, owner).await?;
    let situation = Situation {
        keys,
        recovery_codes: credentials::recovery_codes_left(app, owner).await?,
        devices: usize::from(account.sealed_totp_seed().is_some()) + passkeys.len(),
        now: app.clock.now(),
    };
    Ok(situation.advice())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_device_and_enough_codes_leave_nothing_to_say() {
        let situation = |devices, recovery_codes| Situation { keys: &[], recovery_codes, devices, now: Timestamp(0) };
        assert_eq!(situation(2, 4).advice(), []);
        assert_eq!(situation(1, 4).advice(), [Advice::OneDevice]);
        assert_eq!(situation(2, 3).advice(), [Advice::FewRecoveryCodes(3)]);
    }
}
