//! The numbers of refused sign-ins: one row per account, which counts since its last completed sign-in, and one row for
//! all attempts that named no account.

use super::{Tx, on_tx};
use crate::types::id::Uin;

/// The row for attempts that named no account.
const NOBODY: Uin = Uin(0);

/// Counts a refused sign-in. Comes after the throttles in a transaction, and before its audit record.
pub async fn count(tx: &mut Tx, uin: Option<Uin>) -> sqlx::Result<()> {
    let statement = "insert into refused_sign_in (uin, tries) values ($1, 1)
        on conflict (uin) do update set tries = refused_sign_in.tries + 1";
    on_tx!(tx, c => sqlx::query(statement).bind(uin.unwrap_or(NOBODY)).execute(c).await.map(drop))
}

/// Returns the account's count, and starts again at zero.
pub async fn take(tx: &mut Tx, uin: Uin) -> sqlx::Result<i64> {
    let statement = "delete from refused_sign_in where uin = $1 returning tries";
    let tries: Option<i64> = on_tx!(tx, c => sqlx::query_scalar(statement).bind(uin).fetch_optional(c).await)?;
    Ok(tries.unwrap_or(0))
}
