//! `/cam/records.csv` and `latchkey audit export`.

use std::time::Duration;

use latchkey::db::audit as chain;
use serde_json::{Value, json};

use super::{Journey, csv, events, fill, journey, lines, records, shown};
use crate::support::owner::PASSWORD;
use crate::support::process::{latchkey, run};
use crate::support::{Engine, Product, Store, execute};

#[apply(on_both_engines!)]
async fn the_csv_is_what_the_page_shows(engine: Engine) {
    let Journey { product, mut browser, by_hand, .. } = journey(engine).await;
    // A stored text of another version, which a spreadsheet would evaluate.
    let hostile = "=HYPERLINK(\"http://evil.example\"),x";
    execute(
        &product.app.db,
        &format!("update audit_record set detail = '{hostile}', address = '@sum' where number = 3"),
    )
    .await;
    for query in ["", "?result=refused", "?event=key.disable&from=2027-01-15", &format!("?key={by_hand}")] {
        let rows = shown(&records(&mut browser, query).await);
        let lines = csv(&mut browser, query).await;
        assert_eq!(lines.len(), rows.len(), "{query}");
        for (row, line) in rows.iter().zip(&lines) {
            assert_eq!(row["Time"], line["time"][..19].replace('T', " "));
            assert_eq!(
                (&row["Event"], &row["Key"], &row["Request ID"]),
                (&line["event"], &line["target"], &line["request_id"])
            );
            assert_eq!(row["Who"], format!("{} {}", line["who"], line["actor_key"]).trim());
            if line["number"] != "3" {
                assert_eq!((&row["Address"], &row["Result"]), (&line["address"], &line["outcome"]));
            }
        }
    }
    let refused = csv(&mut browser, "?result=refused").await;
    let changed = refused.iter().find(|line| line["number"] == "3").unwrap();
    assert_eq!((&*changed["detail"], &*changed["address"]), (&*format!("'{hostile}"), "'@sum"));
    assert_eq!(changed["outcome"], format!("Refused: {hostile}"), "does not begin with it");

    let page = browser.get("/cam/records.csv?event=sign-in").await;
    let header = |name: &str| page.headers[name].to_str().unwrap().to_owned();
    assert_eq!(header("content-type"), "text/csv; charset=utf-8; header=present");
    assert_eq!(header("cache-control"), "no-store");
    assert_eq!(
        header("content-disposition"),
        "attachment; filename=\"latchkey-records-root-2027-01-15.csv\"; \
        filename*=UTF-8''latchkey-records-root-2027-01-15.csv"
    );
    assert!(page.body.starts_with(
        "number,time,account,actor,actor_key,action,target,address,request_id,result,detail,who,event,outcome\r\n"
    ));
    assert!(page.body.ends_with("\r\n") && page.body.lines().count() == 4);
    records(&mut browser, "?event=sign-in").await.says("href=\"/cam/records.csv?event=sign-in\"");
    // Each download is recorded, and is contained in those after it.
    let downloads = csv(&mut browser, "?event=records.download").await;
    assert_eq!(downloads.len(), 6);
    assert_eq!(csv(&mut browser, "?event=records.download").await.len(), 7);
}

#[apply(on_both_engines!)]
async fn a_file_is_named_after_the_account(engine: Engine) {
    let product = Product::start(engine).await;
    let (_, mut browser) = product.signed_in("Zoë \"&\"/..\\ 店铺").await;
    let page = browser.get("/cam/records.csv").await;
    assert_eq!(
        page.headers["content-disposition"],
        "attachment; \
        filename=\"latchkey-records-Zo____________-2027-01-15.csv\"; \
        filename*=UTF-8''latchkey-records-Zo%C3%AB_________%E5%BA%97%E9%93%BA-2027-01-15.csv"
    );
}

#[apply(on_both_engines!)]
async fn whoever_has_to_sign_in_first_comes_back_to_the_page(engine: Engine) {
    let product = Product::start(engine).await;
    let (mut owner, mut browser) = product.signed_in("root").await;
    product.advance(Duration::from_mins(15));
    let filtered = "/cam/records?event=sign-in";
    let request = browser.request(reqwest::Method::GET, "/cam/records.csv?event=sign-in");
    let request = request.header("referer", format!("{}{filtered}", product.url()));
    browser.send(request).await.leads_to("/login?notice=expired");
    owner.give_password(&mut browser).await;
    let code = owner.code(&product);
    let done = browser.submit("/login/code", "/login/code", &[("kind", "totp"), ("code", &code)]).await;
    done.leads_to(filtered);
    // In the reader's language, like the page.
    browser.cookies.insert("__Host-latchkey-language".to_owned(), "zh-CN".to_owned());
    let said = csv(&mut browser, "?event=sign-in").await;
    assert_eq!((&*said[0]["event"], &*said[0]["outcome"]), ("登录", "成功：密码和动态验证码"));
    assert_eq!((&*said[0]["action"], &*said[0]["result"]), ("sign-in", "done"));
}

#[apply(on_both_engines!)]
async fn ten_thousand_records_and_more_are_streamed(engine: Engine) {
    let product = Product::start(engine).await;
    let (owner, mut browser) = product.signed_in("root").await;
    fill(&product.app.db, owner.uin, 12_000).await;
    product.advance(Duration::from_mins(10));
    let page = browser.get("/cam/records.csv").await;
    assert!(page.headers.get("content-length").is_none(), "not made as a whole");
    let numbers: Vec<i64> = lines(&page.body).iter().map(|line| line["number"].parse().unwrap()).collect();
    assert_eq!(numbers.len(), 12_004);
    assert!(numbers.is_sorted_by(|newer, older| newer > older), "each once, newest first");
    // A client that disconnects in the middle is no problem.
    let request = browser.request(reqwest::Method::GET, "/cam/records.csv");
    let mut response = request.send().await.unwrap();
    response.chunk().await.unwrap().unwrap();
    drop(response);
    assert_eq!(events(&records(&mut browser, "").await)[0], "Records downloaded");
}

#[apply(on_both_engines!)]
async fn a_download_that_fails_is_cut_off(engine: Engine) {
    let product = Product::start(engine).await;
    let (owner, browser) = product.signed_in("root").await;
    // More than the connection buffers unread.
    fill(&product.app.db, owner.uin, 100_000).await;
    let request = || browser.request(reqwest::Method::GET, "/cam/records.csv?event=sign-in");
    let mut response = request().send().await.unwrap();
    response.chunk().await.unwrap().unwrap();
    execute(&product.app.db, "alter table audit_record rename to gone").await;
    let end = loop {
        match response.chunk().await {
            Ok(Some(_)) => {}
            end => break end,
        }
    };
    assert!(end.is_err(), "it does not look like a whole file");
    execute(&product.app.db, "alter table gone rename to audit_record").await;
    assert_eq!(request().send().await.unwrap().text().await.unwrap().lines().count(), 70_102);
}

#[apply(on_both_engines!)]
async fn the_chain_is_exported_from_the_command_line(engine: Engine) {
    let store = Store::new(engine).await;
    for name in ["root", "other"] {
        let create = latchkey(&store, &["account", "create", name, "--password-stdin", "--json"]);
        assert!(run(create, PASSWORD).status.success());
    }
    let db = store.db().await;
    execute(&db, "update audit_record set address = '+1' where number = 2").await;
    let stored = chain::page(&db, 0, 100).await.unwrap();
    assert_eq!(stored.len(), 4);
    let export = |arguments: &[&str]| {
        let output = run(latchkey(&store, &[&["audit", "export"], arguments].concat()), "");
        assert!(output.status.success() && output.stderr.is_empty());
        String::from_utf8(output.stdout).unwrap()
    };
    let json = export(&[]);
    let csv_text = export(&["--csv"]);
    assert!(
        csv_text
            .starts_with("number,time,account,actor,actor_key,action,target,address,request_id,result,detail,mac\r\n")
    );
    let (json, csv): (Vec<_>, _) = (json.lines().collect(), lines(&csv_text));
    assert_eq!((json.len(), csv.len()), (4, 4));
    for ((row, json), csv) in stored.iter().zip(json).zip(&csv) {
        let mut expected = serde_json::to_value(row).unwrap();
        expected["time"] = json!(row.at.rfc3339_millis());
        expected["mac"] = json!(data_encoding::HEXLOWER.encode(&row.mac));
        assert_eq!(serde_json::from_str::<Value>(json).unwrap(), expected);
        assert_eq!(csv["number"], row.number.to_string());
        assert_eq!(csv["account"], row.uin.unwrap().to_string());
        assert_eq!((&csv["action"], &csv["result"]), (&row.action, &row.result));
        assert_eq!(csv["mac"], expected["mac"].as_str().unwrap());
        assert_eq!(csv["address"], if row.number == 2 { "'+1" } else { "" });
    }
}
