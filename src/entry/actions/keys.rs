//! The actions on the account's keys.

use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::call::{ActionCall, ActionOutput, CHANGES_PER_SECOND, READS_PER_SECOND};
use crate::entry::api_error::ApiError;
use crate::keys::lifecycle::{self, ApiKeyRow};
use crate::types::error::Error;
use crate::types::key_state::KeyState;

/// sts `QueryApiKey`: a short list of the account's keys.
pub(super) async fn query_api_key(mut call: ActionCall<'_>) -> Result<ActionOutput, ApiError> {
    call.params.target_uin(call.uin())?;
    call.params.end()?;
    let keys = lifecycle::list(call.app, &call.owner()).await?;
    let brief = |key: &ApiKeyRow| {
        let status = if key.state == KeyState::Enabled { 2 } else { 3 };
        json!({ "SecretId": key.secret_id, "CreateTime": key.created_at.seconds(), "Status": status })
    };
    Ok(json!({ "IdKeys": keys.iter().map(brief).collect::<Vec<_>>() }).into())
}

/// cam `CreateAccessKey`: creates a key. This is the only response that contains a secret.
pub(super) async fn create_access_key(mut call: ActionCall<'_>) -> Result<ActionOutput, ApiError> {
    call.params.target_uin(call.uin())?;
    let description = call.params.description()?;
    call.params.end()?;
    call.may_manage_keys()?;
    call.limit("CreateAccessKey", CHANGES_PER_SECOND)?;
    let created = lifecycle::create(call.app, &call.owner(), description.as_deref()).await?;
    let row = lifecycle::find(call.app, &call.owner(), &created.secret_id).await?;
    let mut shown = access_key(&row);
    shown["SecretAccessKey"] = json!(created.secret_key.expose_secret());
    Ok(json!({ "AccessKey": shown }).into())
}

/// cam `ListAccessKeys`: the account's keys, without their secrets.
pub(super) async fn list_access_keys(mut call: ActionCall<'_>) -> Result<ActionOutput, ApiError> {
    call.params.target_uin(call.uin())?;
    call.params.end()?;
    call.limit("ListAccessKeys", READS_PER_SECOND)?;
    let keys = lifecycle::list(call.app, &call.owner()).await?;
    Ok(json!({ "AccessKeys": keys.iter().map(access_key).collect::<Vec<_>>() }).into())
}

fn access_key(key: &ApiKeyRow) -> Value {
    let status = if key.state == KeyState::Enabled { "Active" } else { "Inactive" };
    let mut shown = json!({
        "AccessKeyId": key.secret_id,
        "Status": status,
        "CreateTime": key.created_at.api_time(),
    });
    if let Some(remark) = &key.remark {
        shown["Description"] = json!(remark);
    }
    shown
}

/// cam `UpdateAccessKey`: disables or enables a key, which may be the calling key itself. If the key is already in the
/// requested state, the action succeeds.
pub(super) async fn update_access_key(mut call: ActionCall<'_>) -> Result<ActionOutput, ApiError> {
    call.params.target_uin(call.uin())?;
    let secret_id = call.params.access_key_id()?;
    let state = call.params.one_of("Status", &[("Active", KeyState::Enabled), ("Inactive", KeyState::Disabled)])?;
    call.params.end()?;
    call.may_manage_keys()?;
    call.limit("UpdateAccessKey", CHANGES_PER_SECOND)?;
    let done = match state {
        KeyState::Enabled => lifecycle::enable(call.app, &call.owner(), &secret_id).await,
        _ => lifecycle::disable(call.app, &call.owner(), &secret_id).await,
    };
    match done {
        Ok(_) | Err(Error::KeyAlready(_)) => Ok(json!({}).into()),
        Err(error) => Err(error.into()),
    }
}

/// cam `DeleteAccessKey`: deletes a disabled key.
pub(super) async fn delete_access_key(mut call: ActionCall<'_>) -> Result<ActionOutput, ApiError> {
    call.params.target_uin(call.uin())?;
    let secret_id = call.params.access_key_id()?;
    call.params.end()?;
    call.may_manage_keys()?;
    lifecycle::delete(call.app, &call.owner(), &secret_id).await?;
    Ok(json!({}).into())
}

/// cam `GetSecurityLastUsed`: the time at which each of up to ten keys was last used.
pub(super) async fn get_security_last_used(mut call: ActionCall<'_>) -> Result<ActionOutput, ApiError> {
    let asked = call.params.secret_id_list()?;
    call.params.end()?;
    call.app.usage.flush().await;
    let keys = lifecycle::list(call.app, &call.owner()).await?;
    let mut rows = Vec::with_capacity(asked.len());
    for id in asked {
        let key = keys.iter().find(|key| key.secret_id == id).ok_or(ApiError::SecretNotExist)?;
        rows.push(json!({
            "SecretId": id,
            "LastUsedDate": key.last_used_at.map(|at| at.api_time()[..10].to_owned()),
            "LastSecretUsedDate": key.last_used_at.map(|at| at.0),
        }));
    }
    Ok(json!({ "SecretIdLastUsedRows": rows }).into())
}
