//! A passkey that nobody can use.

use latchkey::db::passkeys::{self, NewPasskey};
use latchkey::types::id::{PasskeyHandle, Uin};
use serde_json::json;

use super::Product;

/// Stores a passkey in the database, if there is room for it. Nobody has its private key.
pub async fn store(product: &Product, uin: Uin, credential_id: &[u8], name: &str) -> Option<PasskeyHandle> {
    let number = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE";
    let credential = json!({ "cred": {
        "cred_id": data_encoding::BASE64URL_NOPAD.encode(credential_id),
        "cred": { "type_": "ES256", "key": { "EC_EC2": { "curve": "SECP256R1", "x": number, "y": number } } },
        "counter": 0, "transports": null, "user_verified": true, "backup_eligible": false, "backup_state": false,
        "registration_policy": "required", "extensions": {}, "attestation": { "data": "None", "metadata": "None" },
        "attestation_format": "none",
    } })
    .to_string();
    let handle = PasskeyHandle::generate();
    let new = NewPasskey { handle: &handle, uin, credential_id, credential: &credential, name };
    let mut tx = product.app.db.begin().await.unwrap();
    let stored = passkeys::insert(&mut tx, &new, product.clock.now(), 10).await.unwrap();
    tx.commit().await.unwrap();
    stored.then_some(handle)
}
