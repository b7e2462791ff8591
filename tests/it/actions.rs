//! The actions of the signed API: their parameters, outputs and errors.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::browser::key_ids;
use crate::support::signer::{Call, Signer, error_code};
use crate::support::{Browser, Engine, Owner, Product};

struct Caller {
    product: Product,
    owner: Owner,
    browser: Browser,
    signer: Signer,
}

async fn caller(engine: Engine) -> Caller {
    with_settings(engine, |given| given).await
}

async fn with_settings(
    engine: Engine,
    change: impl FnOnce(latchkey::config::GivenSettings) -> latchkey::config::GivenSettings,
) -> Caller {
    let product = Product::start_with(engine, change).await;
    let (mut owner, mut browser) = product.signed_in("root").await;
    let key = browser.create_key().await;
    let secret = owner.reveal(&product, &mut browser, &key).await;
    let signer = Signer::new(product.api, &key, &secret);
    Caller { product, owner, browser, signer }
}

impl Caller {
    async fn cam(&self, action: &'static str, body: Value) -> Value {
        let call = Call { action, body: body.to_string(), ..Call::list_keys(self.product.clock.now()) };
        self.signer.send(&call).await
    }

    async fn refusal(&self, action: &'static str, body: Value) -> String {
        error_code(&self.cam(action, body).await).unwrap_or_default()
    }
}

#[apply(on_both_engines!)]
async fn a_pair_lives_and_dies_through_the_api(engine: Engine) {
    let mut c = caller(engine).await;
    let made = c.cam("CreateAccessKey", json!({ "Description": "店铺:ci" })).await;
    let made = &made["AccessKey"];
    let id = made["AccessKeyId"].as_str().unwrap().to_owned();
    assert_eq!(made["Status"], json!("Active"));
    assert_eq!(made["Description"], json!("店铺:ci"));
    // 2027-01-15T08:00:… UTC, shown in UTC+8.
    assert!(made["CreateTime"].as_str().unwrap().starts_with("2027-01-15 16:0"), "{made}");
    let other = Signer::new(c.product.api, &id, made["SecretAccessKey"].as_str().unwrap());
    let now = c.product.clock.now();
    assert_eq!(other.refusal(now).await, None);
    c.browser.get("/cam/capi").await.says(&id).says("店铺:ci");

    assert_eq!(c.refusal("CreateAccessKey", json!({})).await, "OperationDenied.AccessKeyOverLimit");
    assert_eq!(c.refusal("DeleteAccessKey", json!({ "AccessKeyId": id })).await, "FailedOperation.Accesskey");
    let disable = json!({ "AccessKeyId": id, "Status": "Inactive" });
    for _ in 0..2 {
        assert_eq!(c.refusal("UpdateAccessKey", disable.clone()).await, "");
        assert_eq!(other.refusal(now).await.unwrap(), "AuthFailure.SecretIdNotFound");
    }
    assert_eq!(c.refusal("UpdateAccessKey", json!({ "AccessKeyId": id, "Status": "Active" })).await, "");
    assert_eq!(other.refusal(now).await, None);
    assert_eq!(c.refusal("UpdateAccessKey", disable).await, "");
    assert_eq!(c.refusal("DeleteAccessKey", json!({ "AccessKeyId": id })).await, "");
    assert_eq!(c.refusal("DeleteAccessKey", json!({ "AccessKeyId": id })).await, "ResourceNotFound.SecretNotExist");
    assert_eq!(key_ids(&c.browser.get("/cam/capi").await), [c.signer.secret_id.clone()]);

    // One record for each, like those of the console, on behalf of the key.
    let rows = latchkey::db::audit::page(&c.product.app.db, 0, 100).await.unwrap();
    let by_key: Vec<&str> = rows.iter().filter(|row| row.actor == "key").map(|row| row.action.as_str()).collect();
    assert_eq!(by_key, ["key.create", "key.disable", "key.enable", "key.disable", "key.delete"]);
    for row in rows {
        let acted = (row.actor == "key").then(|| c.signer.secret_id.clone());
        assert_eq!(row.actor_key, acted, "{}", row.action);
    }
}

#[apply(on_both_engines!)]
async fn a_key_may_disable_itself_and_its_next_call_fails(engine: Engine) {
    let c = caller(engine).await;
    let own = json!({ "AccessKeyId": c.signer.secret_id, "Status": "Inactive" });
    assert_eq!(c.refusal("UpdateAccessKey", own.clone()).await, "");
    assert_eq!(c.refusal("UpdateAccessKey", own).await, "AuthFailure.SecretIdNotFound");
}

#[apply(on_both_engines!)]
async fn keys_of_others_do_not_exist_for_it(engine: Engine) {
    let c = caller(engine).await;
    let (_, mut other) = c.product.signed_in("other").await;
    let foreign = other.create_key().await;
    for id in [foreign.as_str(), "AKIDaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "nonsense"] {
        for (action, body) in [
            ("UpdateAccessKey", json!({ "AccessKeyId": id, "Status": "Inactive" })),
            ("DeleteAccessKey", json!({ "AccessKeyId": id })),
            ("GetSecurityLastUsed", json!({ "SecretIdList": [id] })),
        ] {
            assert_eq!(c.refusal(action, body).await, "ResourceNotFound.SecretNotExist", "{action} {id}");
        }
    }
    other.get("/cam/capi").await.says("Enabled");
}

#[apply(on_both_engines!)]
async fn parameters_are_checked_one_by_one(engine: Engine) {
    let c = caller(engine).await;
    let id = c.signer.secret_id.clone();
    for (action, body, refusal) in [
        ("UpdateAccessKey", json!({}), "MissingParameter"),
        ("UpdateAccessKey", json!({ "AccessKeyId": id }), "MissingParameter"),
        ("UpdateAccessKey", json!({ "AccessKeyId": 1, "Status": "Active" }), "InvalidParameter"),
        ("UpdateAccessKey", json!({ "AccessKeyId": id, "Status": "active" }), "InvalidParameterValue"),
        ("UpdateAccessKey", json!({ "AccessKeyId": id, "Status": "Active", "X": 1 }), "UnknownParameter"),
        (
            "UpdateAccessKey",
            json!({ "AccessKeyId": id, "Status": "Active", "TargetUin": 7 }),
            "OperationDenied.UinNotMatch",
        ),
        ("CreateAccessKey", json!({ "Description": "" }), "InvalidParameterValue"),
        ("CreateAccessKey", json!({ "Description": "two words" }), "InvalidParameterValue"),
        ("CreateAccessKey", json!({ "Description": "x".repeat(1025) }), "InvalidParameterValue"),
        ("CreateAccessKey", json!({ "Description": ["x"] }), "InvalidParameter"),
        ("CreateAccessKey", json!({ "TargetUin": -1 }), "InvalidParameterValue"),
        ("CreateAccessKey", json!({ "TargetUin": 1.5 }), "InvalidParameterValue"),
        ("DeleteAccessKey", json!({}), "MissingParameter"),
        ("GetSecurityLastUsed", json!({}), "MissingParameter"),
        ("GetSecurityLastUsed", json!({ "SecretIdList": id }), "InvalidParameter"),
        ("GetSecurityLastUsed", json!({ "SecretIdList": [] }), "InvalidParameterValue"),
        ("GetSecurityLastUsed", json!({ "SecretIdList": vec![id.clone(); 11] }), "InvalidParameterValue"),
        ("GetSecurityLastUsed", json!({ "SecretIdList": [1] }), "InvalidParameter"),
        ("GetUserAppId", json!({ "X": 1 }), "UnknownParameter"),
        ("GetAccountSummary", json!({ "X": 1 }), "UnknownParameter"),
        ("DescribeSafeAuthFlag", json!({ "X": 1 }), "UnknownParameter"),
    ] {
        assert_eq!(c.refusal(action, body.clone()).await, refusal, "{action} {body}");
    }
    assert_eq!(key_ids(&c.browser.clone().get("/cam/capi").await).len(), 1);
}

/// A proxy in front of the server could check one value, and the server use the other.
#[apply(on_both_engines!)]
async fn of_a_parameter_given_twice_neither_counts(engine: Engine) {
    let c = caller(engine).await;
    let id = &c.signer.secret_id;
    let refusal = async |call: Call| {
        let refused = c.signer.send(&call).await;
        let message = refused["Error"]["Message"].as_str().unwrap_or_default().to_owned();
        error_code(&refused).map(|code| (code, message))
    };
    let call = |action| Call { action, ..Call::list_keys(c.product.clock.now()) };
    let again = |name: &str| ("InvalidParameter".to_owned(), format!("The parameter {name} is given more than once."));
    let body = format!("{{\"AccessKeyId\":\"{id}\",\"Status\":\"Active\",\"Status\":\"Inactive\"}}");
    assert_eq!(refusal(Call { body, ..call("UpdateAccessKey") }).await.unwrap(), again("Status"));

    let get = |query: &str| Call {
        method: "GET",
        query: query.to_owned(),
        body: String::new(),
        content_type: "application/x-www-form-urlencoded".to_owned(),
        ..call("GetSecurityLastUsed")
    };
    assert_eq!(refusal(get(&format!("SecretIdList.0={id}"))).await, None);
    for (query, name) in [
        ("TargetUin=1&TargetUin=1", "TargetUin"),
        ("SecretIdList.0=a&SecretIdList.0=b", "SecretIdList.0"),
        ("SecretIdList.0=a&SecretIdList.00=b", "SecretIdList.00"),
        ("SecretIdList=a&SecretIdList.0=b", "SecretIdList"),
    ] {
        assert_eq!(refusal(get(query)).await.unwrap(), again(name), "{query}");
    }
}

#[apply(on_both_engines!)]
async fn questions_are_answered(engine: Engine) {
    let c = caller(engine).await;
    let uin = c.owner.uin.to_string();
    let numbers = c.cam("GetUserAppId", json!({})).await;
    assert_eq!((&numbers["Uin"], &numbers["OwnerUin"]), (&json!(uin), &json!(uin)));
    assert_eq!(numbers["AppId"].as_i64().unwrap().to_string().len(), 10);
    assert_eq!(c.cam("GetAccountSummary", json!({})).await["Policies"], json!(0));
    let flags = c.cam("DescribeSafeAuthFlag", json!({})).await;
    assert_eq!((&flags["LoginFlag"]["Stoken"], &flags["ActionFlag"]["Stoken"]), (&json!(1), &json!(1)));

    let id = c.signer.secret_id.as_str();
    let used = c.cam("GetSecurityLastUsed", json!({ "SecretIdList": [id] })).await;
    let row = &used["SecretIdLastUsedRows"][0];
    assert_eq!(row["LastSecretUsedDate"], json!(c.product.clock.now().0));
    assert_eq!(row["LastUsedDate"], json!("2027-01-15"));
    let mut flattened = Call::list_keys(c.product.clock.now());
    flattened.action = "GetSecurityLastUsed";
    flattened.method = "GET";
    flattened.query = format!("SecretIdList.0={id}");
    flattened.body = String::new();
    "application/x-www-form-urlencoded".clone_into(&mut flattened.content_type);
    assert_eq!(c.signer.send(&flattened).await["SecretIdLastUsedRows"][0]["SecretId"], json!(id));

    let query = Call { action: "QueryApiKey", ..Call::identity(c.product.clock.now()) };
    let keys = c.signer.send(&query).await;
    assert_eq!(keys["IdKeys"][0]["Status"], json!(2));
    assert!(keys["IdKeys"][0]["CreateTime"].as_i64().unwrap() < c.product.clock.now().seconds() + 1);
}

#[apply(on_both_engines!)]
async fn keys_manage_no_keys_where_the_setting_says_so(engine: Engine) {
    let c = with_settings(engine, |mut given| {
        given.api_manages_keys = Some(false);
        given
    })
    .await;
    let id = c.signer.secret_id.clone();
    for (action, body) in [
        ("CreateAccessKey", json!({})),
        ("UpdateAccessKey", json!({ "AccessKeyId": id, "Status": "Inactive" })),
        ("DeleteAccessKey", json!({ "AccessKeyId": id })),
    ] {
        assert_eq!(c.refusal(action, body).await, "AuthFailure.UnauthorizedOperation");
    }
    assert_eq!(c.refusal("ListAccessKeys", json!({})).await, "");
}

#[apply(on_both_engines!)]
async fn calls_are_limited_to_their_rates(engine: Engine) {
    let c = with_settings(engine, |mut given| {
        given.api_rate_limits = Some(true);
        given
    })
    .await;
    let id = c.signer.secret_id.clone();
    for (action, body, rate) in [
        ("ListAccessKeys", json!({}), 20),
        ("GetUserAppId", json!({}), 20),
        ("UpdateAccessKey", json!({ "AccessKeyId": id, "Status": "Active" }), 5),
    ] {
        for _ in 0..rate {
            assert_eq!(c.refusal(action, body.clone()).await, "", "{action}");
        }
        assert_eq!(c.refusal(action, body.clone()).await, "RequestLimitExceeded", "{action}");
    }
    c.product.advance(Duration::from_secs(1));
    assert_eq!(c.refusal("ListAccessKeys", json!({})).await, "");
}
