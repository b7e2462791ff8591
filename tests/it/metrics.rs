//! The metrics listener.
#![expect(clippy::float_cmp, reason = "whole numbers, exact as floats")]

use std::collections::HashMap;

use latchkey::config::GivenSettings;

use crate::support::signer::{Call, Signer};
use crate::support::{Engine, Product};

async fn with_metrics(engine: Engine) -> Product {
    let listening = |given| GivenSettings { metrics: Some("127.0.0.1:0".parse().unwrap()), ..given };
    Product::start_with(engine, listening).await
}

/// All samples, by name and labels.
async fn samples(product: &Product) -> HashMap<String, f64> {
    let address = product.metrics.unwrap();
    let response = reqwest::get(format!("http://{address}/metrics")).await.unwrap();
    assert_eq!(response.status(), 200);
    let kind = response.headers()["content-type"].to_str().unwrap().to_owned();
    assert!(kind.starts_with("application/openmetrics-text; version=1.0.0"), "{kind}");
    let text = response.text().await.unwrap();
    assert!(text.ends_with("# EOF\n"), "{text}");
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| line.rsplit_once(' ').unwrap())
        .map(|(name, value)| (name.to_owned(), value.parse().unwrap()))
        .collect()
}

#[apply(on_both_engines!)]
async fn what_happens_is_counted(engine: Engine) {
    let product = with_metrics(engine).await;
    let (mut owner, mut browser) = product.signed_in("root").await;
    let key = browser.create_key().await;
    let secret = owner.reveal(&product, &mut browser, &key).await;
    let signer = Signer::new(product.api, &key, &secret);
    let before = samples(&product).await;
    let identity = Call::identity(product.clock.now());
    for _ in 0..3 {
        signer.send(&identity).await;
    }
    Signer { secret_key: "x".repeat(32), ..signer.clone() }.send(&identity).await;
    reqwest::get(format!("http://{}/", product.api)).await.unwrap();
    reqwest::get(format!("http://{}/forward-auth", product.api)).await.unwrap();
    browser.operate(&format!("/cam/capi/keys/{key}/disable"), &[]).await;
    signer.send(&identity).await;
    let after = samples(&product).await;
    let rose = |name: &str| after.get(name).copied().unwrap_or(0.0) - before.get(name).copied().unwrap_or(0.0);
    let checks = |entry_point: &str, result: &str| {
        rose(&format!("latchkey_checks_total{{entry_point=\"{entry_point}\",result=\"{result}\"}}"))
    };
    assert_eq!(checks("action", "accepted"), 3.0, "{after:?}");
    assert_eq!(checks("action", "wrong signature"), 1.0);
    assert_eq!(checks("action", "malformed"), 1.0);
    assert_eq!(checks("action", "disabled"), 1.0);
    assert_eq!(checks("forward_auth", "malformed"), 1.0);
    assert_eq!(rose("latchkey_http_requests_total{listener=\"api\",status=\"200\"}"), 6.0);
    assert_eq!(rose("latchkey_http_requests_total{listener=\"api\",status=\"401\"}"), 1.0);
    let reads = rose("latchkey_barrier_read_seconds_count");
    assert!((2.0..=6.0).contains(&reads), "{reads}");
    assert!(after["latchkey_barrier_read_seconds_sum"] > 0.0);
    assert_eq!(rose("latchkey_barrier_requests_sum"), 5.0, "five claims were of the shape of one");
    assert_eq!(after["latchkey_keys_in_memory"], 1.0);
    assert_eq!(after["latchkey_use_records_dropped_total"], 0.0);
    assert!(
        after.contains_key("latchkey_use_records_waiting") && after.contains_key("latchkey_password_hashes_waiting")
    );
}

/// The metrics contain nothing about an account or its keys, and the listener has no other page.
#[apply(on_both_engines!)]
async fn it_tells_numbers_only(engine: Engine) {
    let product = with_metrics(engine).await;
    let (owner, mut browser) = product.signed_in("root").await;
    let key = browser.create_key().await;
    let address = product.metrics.unwrap();
    let text = reqwest::get(format!("http://{address}/metrics")).await.unwrap().text().await.unwrap();
    for told in [key.as_str(), owner.name.as_str()] {
        assert!(!text.contains(told), "{told}");
    }
    for path in ["/", "/healthz", "/cam/capi"] {
        assert_eq!(reqwest::get(format!("http://{address}{path}")).await.unwrap().status(), 404, "{path}");
    }
}
