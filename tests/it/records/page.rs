//! What the page makes of a record and of a filter.

use super::{Journey, events, journey, link, records, shown, sign_outs};
use crate::support::{Engine, Page, Product};

/// The parts of the filter that the page lists, with the URL that leaves each out.
fn parts(page: &Page) -> Vec<(String, String)> {
    let list = page.between("<ul class=\"parts\"", "</ul>").unwrap_or_default();
    let part = |item: &str| {
        let (url, rest) = item.split_once('"').unwrap();
        let said = rest.split_once("</span>").unwrap().1.split('<').next().unwrap();
        (said.trim().to_owned(), url.replace("&#38;", "&"))
    };
    list.split("href=\"").skip(1).map(part).collect()
}

#[apply(on_both_engines!)]
async fn a_key_is_whole_in_the_text_and_linked_while_it_exists(engine: Engine) {
    let Journey { product: _product, mut browser, by_hand, by_program, .. } = journey(engine).await;
    let page = records(&mut browser, "").await;
    let code = |id: &str| format!("<code data-ending=\"{}\"><span class=\"cut\">{id}</span></code>", &id[32..]);
    let linked = format!("<a href=\"/cam/capi/keys/{by_hand}\" title=\"{by_hand}\">{}</a>", code(&by_hand));
    let deleted = format!("<span title=\"{by_program}\">{}</span>", code(&by_program));
    page.says(&format!("data-label=\"Key\">{linked}</td>"));
    page.says(&format!("data-label=\"Who\"><span class=\"hidden\">Key</span> {linked}</td>"));
    page.says(&format!("data-label=\"Key\">{deleted}</td>"));
    page.does_not_say(&format!("/cam/capi/keys/{by_program}"));
    browser.get(&format!("/cam/capi/keys/{by_hand}")).await.is_account_page();
}

#[apply(on_both_engines!)]
async fn a_refusal_is_told_by_a_word_and_by_its_colour(engine: Engine) {
    let Journey { product: _product, mut browser, .. } = journey(engine).await;
    let page = records(&mut browser, "").await;
    let refused = shown(&page).iter().filter(|row| row["Result"].starts_with("Refused: ")).count();
    assert_eq!(refused, 3);
    assert_eq!(page.body.matches("<span class=\"refused\">Refused: ").count(), refused);
    assert_eq!(page.body.matches("class=\"refused\"").count(), refused);
}

#[apply(on_both_engines!)]
async fn a_filter_stays_until_its_parts_are_removed(engine: Engine) {
    let product = Product::start(engine).await;
    let (owner, mut browser) = product.signed_in("root").await;
    let key = browser.create_key().await;
    sign_outs(&product, owner.uin, 120).await;
    let filter = "from=2027-01-15&to=2027-01-16&event=sign-out&result=done";
    let here = format!("/cam/records?{filter}");
    let page = records(&mut browser, &format!("?{filter}&key=")).await;
    let without = |name: &str| {
        let rest: Vec<&str> = filter.split('&').filter(|field| !field.starts_with(name)).collect();
        format!("/cam/records?{}", rest.join("&"))
    };
    let expected = [
        ("From: 2027-01-15", without("from")),
        ("To: 2027-01-16", without("to")),
        ("Event: Sign-out", without("event")),
        ("Result: Done", without("result")),
    ];
    assert_eq!(parts(&page), expected.map(|(said, url)| (said.to_owned(), url)));

    // It stays in the form, on the other pages, in the CSV and in another language.
    let older = link(&page, "Older").unwrap();
    assert!(older.starts_with(&format!("{here}&before=")), "{older}");
    let second = browser.get(&older).await;
    assert_eq!(parts(&second), parts(&page), "removing a part leads to the first page");
    assert!(link(&second, "Newer").unwrap().starts_with(&format!("{here}&after=")));
    assert_eq!(link(&second, "Download CSV").unwrap(), format!("/cam/records.csv?{filter}"));
    let back = second.between("name=\"back\" value=\"", "\"").unwrap().replace("&#38;", "&");
    assert_eq!(back, older);
    let chosen = browser.submit(&older, "/preferences", &[("language", "zh-CN"), ("back", &back)]).await;
    let chinese = browser.get(chosen.leads_to(&older).location.as_ref().unwrap()).await;
    chinese.says("value=\"2027-01-15\"").says("<option value=\"sign-out\" selected>退出登录</option>");
    let said: Vec<String> = parts(&chinese).into_iter().map(|(said, _)| said).collect();
    assert_eq!(said, ["开始日期：2027-01-15", "结束日期：2027-01-16", "事件：退出登录", "结果：成功"]);
    browser.cookies.remove("__Host-latchkey-language");

    // One part after the other, or all at once.
    let mut page = page;
    for left in (0..4).rev() {
        page = browser.get(&parts(&page)[0].1).await;
        assert_eq!(parts(&page).len(), left);
    }
    assert_eq!(events(&page)[0], "Sign-out");
    page.does_not_say("Clear filter");
    let page = records(&mut browser, &format!("?key={key}")).await;
    assert_eq!(parts(&page), [(format!("Key: {}…{}", &key[..8], &key[32..]), "/cam/records".to_owned())]);
    assert_eq!(link(&page, "Clear filter").as_deref(), Some("/cam/records"));
    // A filter with errors has no effect that could be removed.
    assert_eq!(parts(browser.get("/cam/records?event=sign-out&to=x").await.says("Clear filter")), []);
}
